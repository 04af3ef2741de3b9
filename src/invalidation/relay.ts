import type { Cache } from '../cache/cache.js'
import type { Namespace } from '../cache/namespace.js'
import type { Database } from '../database/connection.js'
import {
  deleteOutboxRows,
  hasOutboxRows,
  lastOutboxRow,
  listenToOutbox,
  type OutboxRow,
  takeOutboxRows,
} from '../database/outbox.js'

export interface RelayOptions {
  database: Database
  cache: Cache
  namespaces: readonly Namespace<unknown>[]
  /** How often the outbox is looked through without being told to: for what an outage or a crash left behind. */
  intervalMs: number
  sleep: (ms: number) => Promise<void>
  /** Told, for each change, how long after it was written the cache confirmed it */
  observeLag: (seconds: number) => void
  log: (message: string) => void
}

/**
 * Carries committed changes from the outbox to the cache. A row goes only after the cache confirmed the invalidation, so a
 * crash or an outage at any moment delays it and loses nothing. Any number of processes may do this at once.
 */
export class Relay {
  private readonly names: readonly string[]
  private listener: { stop: () => Promise<void> } | undefined
  private timer: NodeJS.Timeout | undefined
  private draining: Promise<void> | undefined
  private wanted = false
  private lastReport = ''
  private owedSince: number | undefined

  constructor(private readonly options: RelayOptions) {
    this.names = options.namespaces.map((namespace) => namespace.name)
  }

  /** How long the cache has been owed the oldest change that this process failed to deliver; 0 where it is owed none */
  get backlogSeconds(): number {
    return this.owedSince === undefined ? 0 : (performance.now() - this.owedSince) / 1000
  }

  async start(): Promise<void> {
    this.listener = await listenToOutbox(this.options.database, () => this.wake())
    this.timer = setInterval(() => this.wake(), this.options.intervalMs)
    this.timer.unref()
  }

  async stop(): Promise<void> {
    clearInterval(this.timer)
    await this.listener?.stop().catch(() => undefined)
    await this.draining
  }

  /** What a mutation of this process committed: at once, so that its caller reads it. What fails here is left to the drain. */
  async deliverOwn(rows: readonly OutboxRow[]): Promise<void> {
    // Those of a newer version of this program are not ours to delete.
    const known = rows.filter(({ namespace }) => this.names.includes(namespace))
    if (known.length === 0 || !(await this.deliver(known))) return
    await deleteOutboxRows(this.options.database, known).catch((error) => this.report(error))
  }

  /** Delivers all that was committed up to now, whoever owes it. Rejects when the cache did not confirm. */
  async catchUp(): Promise<void> {
    const { database, sleep } = this.options
    const upTo = await lastOutboxRow(database)
    while (await hasOutboxRows(database, this.names, upTo)) {
      const taken = await this.deliverBatch(upTo, async (rows) => {
        if (!(await this.deliver(rows))) throw new Error('The cache did not confirm an invalidation')
        return true
      })
      // What is left is in the hands of other processes.
      if (taken === 0) await sleep(catchUpPauseMs)
    }
  }

  /** Answers whether the cache confirmed all of it. */
  async invalidate(rows: readonly Outdated[]): Promise<boolean> {
    const work = this.options.namespaces.flatMap((namespace) => {
      const changes = rows.filter((row) => row.namespace === namespace.name)
      return invalidations(changes).map((what) => this.options.cache.invalidate(namespace, what))
    })
    return (await Promise.all(work)).every((confirmed) => confirmed)
  }

  private wake(): void {
    this.wanted = true
    this.draining ??= this.drain().finally(() => {
      this.draining = undefined
    })
  }

  private async drain(): Promise<void> {
    while (this.wanted) {
      this.wanted = false
      try {
        while ((await this.deliverBatch(0, (rows) => this.deliver(rows))) === batchSize);
        this.lastReport = ''
      } catch (error) {
        this.report(error)
      }
    }
  }

  private async deliverBatch(upTo: number, deliver: (rows: readonly OutboxRow[]) => Promise<boolean>): Promise<number> {
    let isOwed = false
    const which = { namespaces: this.names, limit: batchSize, upTo }
    const taken = await takeOutboxRows(this.options.database, which, async (rows) => {
      isOwed = true
      this.owedSince = rows[0]?.writtenAt
      isOwed = !(await deliver(rows))
      return !isOwed
    })
    if (!isOwed) this.owedSince = undefined
    return taken
  }

  private async deliver(rows: readonly OutboxRow[]): Promise<boolean> {
    const isConfirmed = await this.invalidate(rows)
    const now = performance.now()
    if (isConfirmed) for (const { writtenAt } of rows) this.options.observeLag((now - writtenAt) / 1000)
    return isConfirmed
  }

  private report(error: unknown): void {
    const message = `outbox: ${error instanceof Error ? error.message : String(error)}; will be tried again`
    if (message !== this.lastReport) this.options.log(message)
    this.lastReport = message
  }
}

type Outdated = Pick<OutboxRow, 'namespace' | 'entry' | 'list'>

const batchSize = 500
const catchUpPauseMs = 20

function invalidations(changes: readonly Outdated[]) {
  if (changes.some(({ entry, list }) => entry === null && list === null)) return ['all' as const]
  const ids = new Set(changes.flatMap(({ entry }) => entry ?? []))
  const lists = new Set(changes.flatMap(({ list }) => list ?? []))
  return [...(ids.size > 0 ? [{ ids: [...ids] }] : []), ...(lists.size > 0 ? [{ lists: [...lists] }] : [])]
}
