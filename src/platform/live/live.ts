import { setImmediate as nextTurn } from 'node:timers/promises'
import { publicId } from 'cached-resolvers'
import type { Database } from '../database/connection.js'
import {
  currentPosition,
  deleteLiveChanges,
  type LiveChange,
  listenToLiveChanges,
  type Place,
  type Position,
  readLiveChanges,
} from '../database/live-changes.js'
import { Hub } from './hub.js'
import type { LiveKinds, Outdated } from './outdated.js'
import type { Stream } from './stream.js'

export interface LiveOptions {
  database: Database
  kinds: LiveKinds
  /** Makes the cache forget; resolves once this process reads nothing older from it. */
  invalidate: (outdated: readonly Outdated[]) => Promise<unknown>
  /** How often changes are looked for without a notification, which may be lost with its connection */
  intervalMs: number
  /** How long changes are kept for processes that cannot read them at once */
  keptMs: number
  /** So many ids wait for a slow reader; with more, its stream fails. */
  maxWaiting: number
  log: (message: string) => void
}

/**
 * Tells the subscribers of this process what was committed, by whomever. Every process reads the changes for itself, out of the database
 * and beside the relay: this goes on while Redis is away, and nobody depends on another process to live. What is read is given out only after the
 * cache has forgotten what it outdates, and is read again where that throws, so that nothing is lost in between.
 */
export class Live {
  private readonly hub: Hub
  private position: Position | undefined
  private progress: Progress = atStart
  private last: Promise<void> = Promise.resolve()
  private wakes = 0
  private snapshots: { snapshot: string; takenAt: number }[] = []
  private timers: NodeJS.Timeout[] = []
  private stopped = false
  private lastReport = ''

  constructor(private readonly options: LiveOptions) {
    this.hub = new Hub(options.maxWaiting)
  }

  get streamCount(): number {
    return this.hub.streamCount
  }

  async start(): Promise<void> {
    const { database, intervalMs, keptMs } = this.options
    await listenToLiveChanges(database, () => this.wake())
    this.timers = [setInterval(() => this.wake(), intervalMs), setInterval(() => void this.tidy(), keptMs / tidyingsPerKept)]
    for (const timer of this.timers) timer.unref()
  }

  /** The connection that listens ends with the database's: to leave the channel before would be one more statement to wait for. */
  async stop(): Promise<void> {
    this.stopped = true
    for (const timer of this.timers) clearInterval(timer)
    await this.last
  }

  /** Ids that were told of, from now on. Rejects where the database does not answer. */
  async subscribe(topics: readonly string[]): Promise<Stream<string>> {
    const stream = this.hub.open([...new Set(topics)])
    try {
      while (!this.position) await this.inTurn(() => this.read())
    } catch (error) {
      await stream.return()
      throw error
    }
    return stream
  }

  /** Many at once are one. */
  private wake(): void {
    if (this.stopped || this.wakes > 0) return
    this.wakes += 1
    void this.inTurn(() => {
      this.wakes -= 1
      return this.read()
    }).then(
      () => {
        this.lastReport = ''
      },
      (error) => this.report(error),
    )
  }

  private inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.last.then(work)
    this.last = turn.catch(() => undefined)
    return turn
  }

  private async read(): Promise<void> {
    if (this.hub.streamCount === 0) {
      this.position = undefined
      this.progress = atStart
    } else if (this.position) {
      await this.readOn(this.position)
    } else {
      this.position = await currentPosition(this.options.database)
    }
  }

  /** In parts, so that whatever one transaction changed takes little memory. What fails goes on where it stopped. */
  private async readOn(since: Position): Promise<void> {
    const { database, keptMs } = this.options
    while (true) {
      const { until, after, ofLarge } = this.progress
      const { position, changes, isBehind } = await readLiveChanges(database, {
        ...{ since: since.snapshot, until: until?.snapshot ?? null, after, limit: changesAtOnce },
      })
      // What was deleted before it was read, or what another server never knew, cannot be told.
      if (isBehind || position.atMs - since.atMs > keptMs - keptMs / tidyingsPerKept) {
        this.goOnFrom(position)
        return this.hub.failAll()
      }
      const part = partOf(changes, ofLarge)
      await this.spread(part)
      if (changes.length < changesAtOnce) return this.goOnFrom(until ?? position)
      this.progress = { until: until ?? position, after: part.changes.at(-1) as Place, ofLarge: part.ofLarge }
    }
  }

  private goOnFrom(position: Position): void {
    this.position = position
    this.progress = atStart
  }

  private async spread({ changes, ofLarge }: Part): Promise<void> {
    const heard = this.heard(changes)
    if (heard.length === 0) return
    const { kinds } = this.options
    await this.options.invalidate(
      heard.some(({ transaction }) => transaction === ofLarge) ? kinds.outdatedByAnything : kinds.outdatedBy(heard),
    )
    for (const change of heard) await this.tell(change)
  }

  /** All of the transactions that somebody here waits for a part of: what is shown with it may have changed with it. */
  private heard(changes: readonly LiveChange[]): LiveChange[] {
    const transactions = new Set(changes.filter((change) => this.isHeard(change)).map(({ transaction }) => transaction))
    return changes.filter(({ transaction }) => transactions.has(transaction))
  }

  private isHeard({ kind, ids, owners }: LiveChange): boolean {
    const ownerKind = this.options.kinds.ownerKindOf(kind)
    const [topics, numbers] = ownerKind === null ? [kind, ids] : [ownerKind, owners]
    if (numbers === null) return this.hub.topicsOf(`${topics}_`).length > 0
    return numbers.some((number) => this.hub.has(publicId(topics, number)))
  }

  private async tell({ kind, ids, owners }: LiveChange): Promise<void> {
    const ownerKind = this.options.kinds.ownerKindOf(kind)
    if (ownerKind === null) {
      const changed = ids?.map((id) => publicId(kind, id)) ?? this.hub.topicsOf(`${kind}_`)
      await this.tellEach(changed.map((id) => [id, id]))
    } else if (ids === null) {
      this.hub.failTopics(`${ownerKind}_`)
    } else {
      await this.tellEach(ids.map((id, index) => [publicId(ownerKind, owners?.[index] as number), publicId(kind, id)]))
    }
  }

  /** Over several turns of the event loop, where many wait. */
  private async tellEach(told: readonly [topic: string, id: string][]): Promise<void> {
    let inThisTurn = 0
    for (const [topic, id] of told) {
      inThisTurn += this.hub.tell(topic, id)
      if (inThisTurn < toldInATurn) continue
      inThisTurn = 0
      await nextTurn()
    }
  }

  /** What had been committed that long ago is known to all. */
  private async tidy(): Promise<void> {
    const { database, keptMs } = this.options
    try {
      const { snapshot } = await currentPosition(database)
      const now = performance.now()
      this.snapshots.push({ snapshot, takenAt: now })
      const old = this.snapshots.filter(({ takenAt }) => now - takenAt >= keptMs)
      if (old.length === 0) return
      await deleteLiveChanges(database, old.at(-1)?.snapshot as string)
      this.snapshots = this.snapshots.slice(old.length)
    } catch (error) {
      this.report(error)
    }
  }

  private report(error: unknown): void {
    const message = `live changes: ${error instanceof Error ? error.message : String(error)}; will be tried again`
    if (message !== this.lastReport) this.options.log(message)
    this.lastReport = message
  }
}

/** How far what was committed since the position has been read: of the snapshot `until`, all up to `after` */
interface Progress {
  until: Position | null
  after: Place | null
  /** A transaction with more changes than are read at once, which the last part ended in */
  ofLarge: string | null
}

type Part = { changes: readonly LiveChange[] } & Pick<Progress, 'ofLarge'>

/** Whole transactions, or else a part of a large one: what is told of a change depends on all of its transaction. */
function partOf(changes: readonly LiveChange[], ofLarge: string | null): Part {
  const last = changes.at(-1)?.transaction
  if (last === undefined || changes.length < changesAtOnce) return { changes, ofLarge }
  const whole = changes.filter(({ transaction }) => transaction !== last)
  return whole.length > 0 ? { changes: whole, ofLarge } : { changes, ofLarge: last }
}

const atStart: Progress = { until: null, after: null, ofLarge: null }
const changesAtOnce = 200
/** At a few million a second, that is a millisecond. */
const toldInATurn = 2_000
const tidyingsPerKept = 5
