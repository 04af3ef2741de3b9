import { setImmediate as nextTick } from 'node:timers/promises'
import { publicId } from 'cached-resolvers'
import type { Database } from '../database/connection.js'
import {
  type ChangeCursor,
  currentPosition,
  deleteLiveChanges,
  type LiveChange,
  listenToLiveChanges,
  type Position,
  readLiveChanges,
} from '../database/live-changes.js'
import { Hub } from './hub.js'
import type { InvalidationTarget, LiveKinds } from './invalidation-targets.js'
import type { Stream } from './stream.js'

export interface LiveUpdatesOptions {
  database: Database
  kinds: LiveKinds
  /** Invalidates cache contents. Resolves once this process reads nothing older from the cache. */
  invalidate: (targets: readonly InvalidationTarget[]) => Promise<unknown>
  /** Interval of reads without a notification: notifications are lost when the listening connection breaks. */
  intervalMs: number
  /** How long changes are kept in the database for processes that cannot read them immediately */
  retentionMs: number
  /** Maximum number of ids that wait for a slow reader. Its stream fails if there are more. */
  maxWaiting: number
  log: (message: string) => void
}

/**
 * Publishes committed changes, whoever made them, to the subscribers of this process. Every process reads the changes from the
 * database itself, independently of the relay: this continues while Redis is unavailable, and does not depend on any other process.
 * Changes are published only after the cache entries that they make stale are invalidated. If that fails, the changes are read
 * again, so none is lost.
 */
export class LiveUpdates {
  private readonly hub: Hub
  private position: Position | undefined
  private progress: ReadProgress = atStart
  private lastRun: Promise<void> = Promise.resolve()
  private queuedReads = 0
  private snapshots: { snapshot: string; takenAt: number }[] = []
  private timers: NodeJS.Timeout[] = []
  private stopped = false
  private lastReport = ''

  constructor(private readonly options: LiveUpdatesOptions) {
    this.hub = new Hub(options.maxWaiting)
  }

  get streamCount(): number {
    return this.hub.streamCount
  }

  async start(): Promise<void> {
    const { database, intervalMs, retentionMs } = this.options
    await listenToLiveChanges(database, () => this.scheduleRead())
    this.timers = [
      setInterval(() => this.scheduleRead(), intervalMs),
      setInterval(() => void this.deleteOldChanges(), retentionMs / deletionsPerRetention),
    ]
    for (const timer of this.timers) timer.unref()
  }

  /**
   * Does not unlisten, which would be one more statement to wait for: the listening connection closes together with the database.
   */
  async stop(): Promise<void> {
    this.stopped = true
    for (const timer of this.timers) clearInterval(timer)
    await this.lastRun
  }

  /** Returns a stream of the ids changed from now on. Rejects if the database does not answer. */
  async subscribe(topics: readonly string[]): Promise<Stream<string>> {
    const stream = this.hub.subscribe([...new Set(topics)])
    try {
      while (!this.position) await this.runExclusive(() => this.read())
    } catch (error) {
      await stream.return()
      throw error
    }
    return stream
  }

  /** Calls while a read is queued are combined into that read. */
  private scheduleRead(): void {
    if (this.stopped || this.queuedReads > 0) return
    this.queuedReads += 1
    void this.runExclusive(() => {
      this.queuedReads -= 1
      return this.read()
    }).then(
      () => {
        this.lastReport = ''
      },
      (error) => this.report(error),
    )
  }

  private runExclusive(work: () => Promise<void>): Promise<void> {
    const run = this.lastRun.then(work)
    this.lastRun = run.catch(() => undefined)
    return run
  }

  private async read(): Promise<void> {
    if (this.hub.streamCount === 0) {
      this.position = undefined
      this.progress = atStart
    } else if (this.position) {
      await this.readChangesSince(this.position)
    } else {
      this.position = await currentPosition(this.options.database)
    }
  }

  /**
   * Reads in batches, so that a large transaction takes little memory. After a failure the next read continues with the same batch.
   */
  private async readChangesSince(since: Position): Promise<void> {
    const { database, retentionMs } = this.options
    while (true) {
      const { until, after, partialTransaction } = this.progress
      const { position, changes, isBehind } = await readLiveChanges(database, {
        ...{ since: since.snapshot, until: until?.snapshot ?? null, after, limit: maxBatchSize },
      })
      // Changes may have been deleted before they were read, or this server may lack transactions of the previous one.
      if (isBehind || position.atMs - since.atMs > retentionMs - retentionMs / deletionsPerRetention) {
        this.advanceTo(position)
        return this.hub.failAll()
      }
      const batch = batchOf(changes, partialTransaction)
      await this.deliver(batch)
      if (changes.length < maxBatchSize) return this.advanceTo(until ?? position)
      this.progress = {
        until: until ?? position,
        after: batch.changes.at(-1) as ChangeCursor,
        partialTransaction: batch.partialTransaction,
      }
    }
  }

  private advanceTo(position: Position): void {
    this.position = position
    this.progress = atStart
  }

  private async deliver({ changes, partialTransaction }: Batch): Promise<void> {
    const relevant = this.relevantChanges(changes)
    if (relevant.length === 0) return
    const { kinds } = this.options
    await this.options.invalidate(
      relevant.some(({ transaction }) => transaction === partialTransaction) ? kinds.allTargets : kinds.targetsOf(relevant),
    )
    for (const change of relevant) await this.publish(change)
  }

  /**
   * All changes of each transaction of which one change has a subscriber: the answer may show other rows that the transaction
   * changed.
   */
  private relevantChanges(changes: readonly LiveChange[]): LiveChange[] {
    const transactions = new Set(changes.filter((change) => this.hasSubscribers(change)).map(({ transaction }) => transaction))
    return changes.filter(({ transaction }) => transactions.has(transaction))
  }

  private hasSubscribers({ kind, ids, owners }: LiveChange): boolean {
    const ownerKind = this.options.kinds.ownerKindOf(kind)
    const [topicKind, rowIds] = ownerKind === null ? [kind, ids] : [ownerKind, owners]
    if (rowIds === null) return this.hub.topicsOf(`${topicKind}_`).length > 0
    return rowIds.some((id) => this.hub.hasSubscribers(publicId(topicKind, id)))
  }

  private async publish({ kind, ids, owners }: LiveChange): Promise<void> {
    const ownerKind = this.options.kinds.ownerKindOf(kind)
    if (ownerKind === null) {
      const changed = ids?.map((id) => publicId(kind, id)) ?? this.hub.topicsOf(`${kind}_`)
      await this.publishEach(changed.map((id) => [id, id]))
    } else if (ids === null) {
      this.hub.failTopics(`${ownerKind}_`)
    } else {
      await this.publishEach(ids.map((id, index) => [publicId(ownerKind, owners?.[index] as number), publicId(kind, id)]))
    }
  }

  /** Yields to the event loop between many events. */
  private async publishEach(events: readonly [topic: string, id: string][]): Promise<void> {
    let publishedInTick = 0
    for (const [topic, id] of events) {
      publishedInTick += this.hub.publish(topic, id)
      if (publishedInTick < maxPublishedPerTick) continue
      publishedInTick = 0
      await nextTick()
    }
  }

  /** Deletes changes older than the retention: every process has read them, or ends its streams. */
  private async deleteOldChanges(): Promise<void> {
    const { database, retentionMs } = this.options
    try {
      const { snapshot } = await currentPosition(database)
      const now = performance.now()
      this.snapshots.push({ snapshot, takenAt: now })
      const old = this.snapshots.filter(({ takenAt }) => now - takenAt >= retentionMs)
      if (old.length === 0) return
      await deleteLiveChanges(database, old.at(-1)?.snapshot as string)
      this.snapshots = this.snapshots.slice(old.length)
    } catch (error) {
      this.report(error)
    }
  }

  private report(error: unknown): void {
    const message = `Reading live changes failed: ${error instanceof Error ? error.message : String(error)}. It is retried.`
    if (message !== this.lastReport) this.options.log(message)
    this.lastReport = message
  }
}

/** Progress within the changes between the position and the snapshot `until`: read up to the change `after` */
interface ReadProgress {
  until: Position | null
  after: ChangeCursor | null
  /** A transaction larger than a batch of which only a part has been read */
  partialTransaction: string | null
}

type Batch = { changes: readonly LiveChange[] } & Pick<ReadProgress, 'partialTransaction'>

/**
 * Drops the last transaction if it may be incomplete, unless it is the only one: then the batch is a part of a large transaction. A
 * change must be published after all entries that its transaction made stale are invalidated.
 */
function batchOf(changes: readonly LiveChange[], partialTransaction: string | null): Batch {
  const last = changes.at(-1)?.transaction
  if (last === undefined || changes.length < maxBatchSize) return { changes, partialTransaction }
  const whole = changes.filter(({ transaction }) => transaction !== last)
  return whole.length > 0 ? { changes: whole, partialTransaction } : { changes, partialTransaction: last }
}

const atStart: ReadProgress = { until: null, after: null, partialTransaction: null }
const maxBatchSize = 200
/** About a millisecond of work: a few million events are published per second. */
const maxPublishedPerTick = 2_000
const deletionsPerRetention = 5
