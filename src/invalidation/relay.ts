import type { Cache } from '../cache/cache.js'
import type { Namespace } from '../cache/namespace.js'
import type { Database } from '../database/connection.js'
import {
  claimOutboxRows,
  deleteOutboxRows,
  deleteOutboxRowsIn,
  listenToOutbox,
  type OutboxChange,
  type OutboxRow,
  oldestOutboxRow,
  readOutbox,
} from '../database/outbox.js'

export interface RelayOptions {
  /** Not the pool of requests: those may wait for each other there for as long as they like. */
  database: Database
  cache: Cache
  namespaces: readonly Namespace<unknown>[]
  /** How often the outbox is looked through without being told to: for what an outage or a crash left behind. */
  intervalMs: number
  /** Told, for each change, how long after it was written the cache confirmed it */
  observeLag: (seconds: number) => void
  log: (message: string) => void
}

/**
 * Carries committed changes from the outbox to the cache. A row goes only after the cache confirmed the invalidation, so a
 * crash or an outage at any moment delays it and loses nothing. Any number of processes may do this at once: delivering twice does no
 * harm, and a claim keeps it rare. No row is locked while the cache is waited for.
 */
export class Relay {
  private readonly names: readonly string[]
  private listener: { stop: () => Promise<void> } | undefined
  private timer: NodeJS.Timeout | undefined
  private draining: Promise<void> | undefined
  private wanted = false
  private lastReport = ''
  private owedSince: number | undefined
  private deletion: { rows: OutboxRow[]; done: Promise<void> } | undefined
  private lastDeletion: Promise<void> = Promise.resolve()

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
    await this.lastDeletion
  }

  /** What a mutation of this process committed: at once, so that its caller reads it. What fails here is left to the drain. */
  async deliverOwn(rows: readonly OutboxRow[]): Promise<void> {
    // Those of a newer version of this program are not ours to delete.
    const known = rows.filter(({ namespace }) => this.names.includes(namespace))
    if (known.length === 0 || !(await this.deliver(known))) return
    await this.deleteWithOthers(known).catch((error) => this.report(error))
  }

  /**
   * Delivers all that was committed up to now, whoever claimed it: whoever did may be frozen. Rejects when the cache did not confirm. What
   * commits later is the drain's.
   */
  async catchUp(): Promise<void> {
    if (!(await this.deliverAll())) throw new Error('The cache did not confirm an invalidation')
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
        if (this.options.cache.trusted) await this.deliverDue()
        // A cache in doubt is caught up with as soon as it answers. To claim rows for it until then would keep them from others.
        else this.owedSince = await oldestOutboxRow(this.options.database, this.names)
        this.lastReport = ''
      } catch (error) {
        this.report(error)
      }
    }
  }

  /** In batches that any number of processes share; whoever finds a full one carries all that waits at once, so that nothing waits long. */
  private async deliverDue(): Promise<void> {
    while ((await this.deliverBatch(0)) === batchSize && (await this.deliverAll()));
  }

  private async deliverBatch(after: number): Promise<number> {
    const { database } = this.options
    const rows = await claimOutboxRows(database, { namespaces: this.names, after, limit: batchSize, claimMs })
    if (rows.length === 0) {
      this.owedSince = undefined
      return 0
    }
    if (!(await this.deliver(rows))) return 0
    await deleteOutboxRows(database, rows)
    return rows.length
  }

  /** Answers whether the cache confirmed. What is committed while a long backlog is being deleted does not wait for the end of that. */
  private async deliverAll(): Promise<boolean> {
    const { changes, snapshot, lastId } = await readOutbox(this.options.database, { namespaces: this.names, maxRows })
    if (changes.length === 0) return true
    if (!(await this.deliver(changes))) return false
    // What stays is delivered once more.
    await this.deleteAll(snapshot, lastId).catch((error) => this.report(error))
    return true
  }

  private async deleteAll(snapshot: string, lastId: number): Promise<void> {
    const which = { namespaces: this.names, snapshot, limit: maxDeletedAtOnce }
    while ((await deleteOutboxRowsIn(this.options.database, which)) === maxDeletedAtOnce) await this.deliverBatch(lastId)
  }

  private async deliver(changes: readonly OutboxChange[]): Promise<boolean> {
    const oldest = changes.reduce((oldest, { writtenAt }) => Math.min(oldest, writtenAt), Number.POSITIVE_INFINITY)
    const isConfirmed = await this.invalidate(changes)
    this.owedSince = isConfirmed ? undefined : oldest
    const now = performance.now()
    if (isConfirmed) for (const { writtenAt } of changes) this.options.observeLag((now - writtenAt) / 1000)
    return isConfirmed
  }

  /** While one statement deletes, the rows of all mutations that end meanwhile wait for the next one. */
  private deleteWithOthers(rows: readonly OutboxRow[]): Promise<void> {
    const deletion = this.deletion ?? this.nextDeletion()
    deletion.rows.push(...rows)
    return deletion.done
  }

  private nextDeletion() {
    const rows: OutboxRow[] = []
    const done = this.lastDeletion.then(() => {
      this.deletion = undefined
      return deleteOutboxRows(this.options.database, rows)
    })
    this.lastDeletion = done.catch(() => undefined)
    this.deletion = { rows, done }
    return this.deletion
  }

  private report(error: unknown): void {
    const message = `outbox: ${error instanceof Error ? error.message : String(error)}; will be tried again`
    if (message !== this.lastReport) this.options.log(message)
    this.lastReport = message
  }
}

type Outdated = Pick<OutboxChange, 'namespace' | 'entry' | 'list'>

const batchSize = 500
/** For a process that stops with rows in hand: so long others leave them alone. */
const claimMs = 500
/** Of a namespace, in what is carried at once; with more the namespace is given up. */
const maxRows = 2_000
/** So that a statement takes far less time than one may */
const maxDeletedAtOnce = 20_000

function invalidations(changes: readonly Outdated[]) {
  if (changes.some(({ entry, list }) => entry === null && list === null)) return ['all' as const]
  const ids = new Set(changes.flatMap(({ entry }) => entry ?? []))
  const lists = new Set(changes.flatMap(({ list }) => list ?? []))
  return [...(ids.size > 0 ? [{ ids: [...ids] }] : []), ...(lists.size > 0 ? [{ lists: [...lists] }] : [])]
}
