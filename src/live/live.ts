import type { Database } from '../database/connection.js'
import {
  currentPosition,
  deleteLiveChanges,
  type LiveChange,
  listenToLiveChanges,
  type Position,
  readLiveChanges,
} from '../database/live-changes.js'
import { publicId } from '../model.js'
import { Hub } from './hub.js'
import { type Outdated, outdatedBy } from './outdated.js'
import type { Stream } from './stream.js'

export interface LiveOptions {
  database: Database
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
  async subscribe(topics: readonly string[]): Promise<Stream> {
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
    } else if (this.position) {
      await this.readOn(this.position)
    } else {
      this.position = await currentPosition(this.options.database)
    }
  }

  private async readOn(since: Position): Promise<void> {
    const { database, invalidate, keptMs } = this.options
    const { position, changes, isBehind } = await readLiveChanges(database, since.snapshot)
    const heard = this.heard(changes)
    if (heard.length > 0) await invalidate(outdatedBy(heard))
    this.position = position
    // What was deleted before it was read, or what another server never knew, cannot be told.
    if (isBehind || position.atMs - since.atMs > keptMs - keptMs / tidyingsPerKept) this.hub.failAll()
    else for (const change of heard) this.tell(change)
  }

  /** All of the transactions that somebody here waits for a part of: what is shown with it may have changed with it. */
  private heard(changes: readonly LiveChange[]): LiveChange[] {
    const transactions = new Set(changes.filter((change) => this.isHeard(change)).map(({ transaction }) => transaction))
    return changes.filter(({ transaction }) => transactions.has(transaction))
  }

  private isHeard({ kind, ids, owners }: LiveChange): boolean {
    if (ids === null) return true
    if (kind === 'product') return ids.some((id) => this.hub.has(publicId('product', id)))
    return owners?.some((owner) => this.hub.has(publicId('user', owner))) ?? false
  }

  private tell({ kind, ids, owners }: LiveChange): void {
    if (kind === 'product') {
      const changed = ids?.map((id) => publicId('product', id)) ?? this.hub.topicsOf('product_')
      for (const id of changed) this.hub.tell(id, id)
    } else {
      for (const [index, id] of (ids ?? []).entries())
        this.hub.tell(publicId('user', owners?.[index] as number), publicId('order', id))
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

const tidyingsPerKept = 5
