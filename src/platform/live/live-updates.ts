import { setImmediate as nextIteration } from 'node:timers/promises'
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
  /**
   * Invalidates these cache contents. Resolves when this process can no longer read a value from the cache that is older than the
   * call.
   */
  invalidate: (targets: readonly InvalidationTarget[]) => Promise<unknown>
  /** Changes are also read at this interval, because notifications are lost while the listening connection is broken. */
  pollIntervalMs: number
  /** How long changes are kept in the database for processes that cannot read them immediately */
  retentionMs: number
  /** Maximum number of ids queued in one stream. If more are queued because the reader is slow, the stream fails. */
  maxQueued: number
  log: (message: string) => void
}

/**
 * Publishes committed changes, whoever made them, to the subscribers of this process. Every process reads the changes from the
 * database by itself, independently of the relay, so live updates continue while Redis is unavailable and need no other process.
 * A change is published only after the cache entries that its transaction made stale have been invalidated. If the invalidation
 * fails, the changes are read again, so that none is lost.
 */
export class LiveUpdates {
  private readonly hub: Hub
  private readonly deletionIntervalMs: number
  private position: Position | undefined
  private progress: ReadProgress = atStart
  private lastRun: Promise<void> = Promise.resolve()
  private isReadQueued = false
  private snapshots: { snapshot: string; takenAt: number }[] = []
  private timers: NodeJS.Timeout[] = []
  private stopped = false
  private lastReport = ''

  constructor(private readonly options: LiveUpdatesOptions) {
    this.hub = new Hub(options.maxQueued)
    this.deletionIntervalMs = options.retentionMs / deletionsPerRetention
  }

  get streamCount(): number {
    return this.hub.streamCount
  }

  async start(): Promise<void> {
    const { database, pollIntervalMs } = this.options
    await listenToLiveChanges(database, () => this.scheduleRead())
    this.timers = [
      setInterval(() => this.scheduleRead(), pollIntervalMs),
      setInterval(() => void this.deleteOldChanges(), this.deletionIntervalMs),
    ]
    for (const timer of this.timers) timer.unref()
  }

  /** Sends no UNLISTEN, which would be one more statement to wait for. Closing the database closes the listening connection. */
  async stop(): Promise<void> {
    this.stopped = true
    for (const timer of this.timers) clearInterval(timer)
    await this.lastRun
  }

  /**
   * Returns a stream of the ids in all changes of these topics (see Hub) that are committed after this call. Rejects if the
   * database does not answer.
   */
  async subscribe(topics: readonly string[]): Promise<Stream<string>> {
    const stream = this.hub.subscribe([...new Set(topics)])
    try {
      // After this read, the position is set, unless the stream has already ended.
      if (!this.position) await this.runExclusive(() => this.read())
    } catch (error) {
      await stream.return()
      throw error
    }
    return stream
  }

  /**
   * Queues a read. Does nothing if a read is already queued, because that read will return all changes committed until it starts.
   */
  private scheduleRead(): void {
    if (this.stopped || this.isReadQueued) return
    this.isReadQueued = true
    void this.runExclusive(() => {
      this.isReadQueued = false
      return this.read()
    }).then(
      () => {
        this.lastReport = ''
      },
      (error) => this.report('read live changes', error),
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
   * Reads and delivers batch by batch, so that a large transaction takes little memory. After a failure, the next call starts
   * with the batch that failed.
   */
  private async readChangesSince(since: Position): Promise<void> {
    const { database, retentionMs } = this.options
    while (true) {
      const { until, after, splitTransaction } = this.progress
      const {
        position: latestPosition,
        changes,
        hasLostTransactions,
      } = await readLiveChanges(database, {
        since: since.snapshot,
        until: until?.snapshot ?? null,
        after,
        limit: maxBatchSize,
      })
      // Subscribers must start again in two cases: the changes are so old that they may have been deleted unread, or a failover
      // or restore lost transactions. Positions contain times of the database's clock, while the processes that delete
      // changes use their own clocks. The margin of one deletion interval allows for the difference.
      if (hasLostTransactions || latestPosition.atMs - since.atMs > retentionMs - this.deletionIntervalMs) {
        this.advanceTo(latestPosition)
        return this.hub.failAll()
      }
      const batch = batchOf(changes, splitTransaction)
      await this.deliver(batch)
      if (changes.length < maxBatchSize) return this.advanceTo(until ?? latestPosition)
      this.progress = {
        until: until ?? latestPosition,
        after: batch.changes.at(-1) as ChangeCursor,
        splitTransaction: batch.splitTransaction,
      }
    }
  }

  private advanceTo(position: Position): void {
    this.position = position
    this.progress = atStart
  }

  private async deliver({ changes, splitTransaction }: Batch): Promise<void> {
    const relevant = this.relevantChanges(changes)
    if (relevant.length === 0) return
    const { kinds } = this.options
    await this.options.invalidate(
      relevant.some(({ transaction }) => transaction === splitTransaction) ? kinds.allTargets : kinds.targetsOf(relevant),
    )
    for (const change of relevant) await this.publish(change)
  }

  /**
   * Returns all changes of every transaction in which at least one change has a subscriber, since the result sent to the
   * subscriber may include other rows of that transaction.
   */
  private relevantChanges(changes: readonly LiveChange[]): LiveChange[] {
    const transactions = new Set(changes.filter((change) => this.hasSubscribers(change)).map(({ transaction }) => transaction))
    return changes.filter(({ transaction }) => transactions.has(transaction))
  }

  /**
   * Whether a change has a subscriber. Kinds without an owner are published under the ids of their rows, and kinds with an owner
   * under the ids of the owners, for example an order under its user.
   */
  private hasSubscribers({ kind, ids, owners }: LiveChange): boolean {
    const ownerKind = this.options.kinds.ownerKindOf(kind)
    const [topicKind, rowIds] = ownerKind === null ? [kind, ids] : [ownerKind, owners]
    // If the trigger did not list the rows, any subscriber of this kind may be affected.
    if (rowIds === null) return this.hub.topicsOf(`${topicKind}_`).length > 0
    return rowIds.some((id) => this.hub.hasSubscribers(publicId(topicKind, id)))
  }

  private async publish({ kind, ids, owners }: LiveChange): Promise<void> {
    const ownerKind = this.options.kinds.ownerKindOf(kind)
    if (ownerKind === null) {
      // If the changed rows are not listed, each row that has a subscriber counts as changed.
      const changed = ids?.map((id) => publicId(kind, id)) ?? this.hub.topicsOf(`${kind}_`)
      await this.publishEach(changed.map((id) => [id, id]))
    } else if (ids === null) {
      // Subscribers to an owner receive the ids of new rows. Here these ids are not listed, so the subscribers must start again.
      this.hub.failTopics(`${ownerKind}_`)
    } else {
      await this.publishEach(ids.map((id, index) => [publicId(ownerKind, owners?.[index] as number), publicId(kind, id)]))
    }
  }

  /** Continues in the next iteration of the event loop after `maxPublishedPerIteration` events, so that iterations stay short. */
  private async publishEach(events: readonly [topic: string, id: string][]): Promise<void> {
    let publishedInIteration = 0
    for (const [topic, id] of events) {
      publishedInIteration += this.hub.publish(topic, id)
      if (publishedInIteration < maxPublishedPerIteration) continue
      publishedInIteration = 0
      await nextIteration()
    }
  }

  /** Deletes changes older than the retention. A process that has not read them in time detects this, and fails its streams. */
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
      this.report('delete old live changes', error)
    }
  }

  /** Logs a failure, unless the failure before it had the same message and no scheduled read has succeeded since. */
  private report(task: string, error: unknown): void {
    const message = `Failed to ${task}: ${error instanceof Error ? error.message : String(error)}. Will retry`
    if (message !== this.lastReport) this.options.log(message)
    this.lastReport = message
  }
}

/**
 * How far the range from the position to `until` has been read; `until` is null before the first batch. `after` is the last
 * change read, null at the start of the range.
 */
interface ReadProgress {
  until: Position | null
  after: ChangeCursor | null
  /**
   * The last transaction that did not fit into one batch; null if there was none. It is kept until the whole range has been read,
   * because later batches may contain the rest of this transaction.
   */
  splitTransaction: string | null
}

type Batch = { changes: readonly LiveChange[] } & Pick<ReadProgress, 'splitTransaction'>

/**
 * Returns the changes that can be delivered. A full batch may end in the middle of a transaction, but a change must not be
 * published before all entries that its transaction made stale are invalidated. The last transaction is therefore left for the
 * next batch. If it is the only transaction of the batch, its id is returned as `splitTransaction`.
 */
function batchOf(changes: readonly LiveChange[], splitTransaction: string | null): Batch {
  const last = changes.at(-1)?.transaction
  if (last === undefined || changes.length < maxBatchSize) return { changes, splitTransaction }
  const whole = changes.filter(({ transaction }) => transaction !== last)
  return whole.length > 0 ? { changes: whole, splitTransaction } : { changes, splitTransaction: last }
}

const atStart: ReadProgress = { until: null, after: null, splitTransaction: null }
const maxBatchSize = 200
/** Publishing this many events takes about a millisecond (a few million events per second). */
const maxPublishedPerIteration = 2_000
const deletionsPerRetention = 5
