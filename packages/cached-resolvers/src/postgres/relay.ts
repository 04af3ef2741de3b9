import type { Cache } from '../cache/cache.js'
import type { Namespace } from '../cache/namespace.js'
import { unregisterUnusedCacheStores } from './cache-stores.js'
import type { Database } from './database.js'
import {
  claimOutboxRows,
  confirmOutboxRows,
  confirmOutboxRowsIn,
  deleteDeliveredOutboxRows,
  listenToOutbox,
  makeOutboxRowsDue,
  type OutboxChange,
  type OutboxRow,
  oldestOutboxRow,
  owedOutboxRows,
  readOutbox,
} from './outbox.js'

export interface RelayOptions {
  /** Not the pool of requests: those may wait for each other there for as long as they like. */
  database: Database
  cache: Cache
  namespaces: readonly Namespace<unknown>[]
  /** How often the outbox is looked through without being told to: for what an outage or a crash left behind. */
  intervalMs: number
  /** A store is in use when a process reported so within this time: as long as it may be trusted then. */
  inUseMs: number
  /** How long a mutation waits for the stores of other processes, and where its own is away, for others to deliver. */
  maxWaitMs: number
  sleep: (ms: number) => Promise<void>
  /** Told, for each change, how long after it was written the cache confirmed it */
  observeLag: (seconds: number) => void
  log: (message: string) => void
}

/**
 * Carries committed changes from the outbox to the cache. A row goes only after every store in use confirmed the invalidation, so a
 * crash or an outage at any moment delays it and loses nothing. Any number of processes may do this at once: delivering twice does no
 * harm, and a claim keeps it rare. No row is locked while the cache is waited for.
 */
export class Relay {
  private readonly names: readonly string[]
  private listener: { stop: () => Promise<void> } | undefined
  private timers: NodeJS.Timeout[] = []
  private tidying: Promise<void> | undefined
  private draining: Promise<void> | undefined
  private wanted = false
  private lastReport = ''
  private owedSince: number | undefined
  private confirmation: Confirmation | undefined
  private lastConfirmation: Promise<unknown> = Promise.resolve()

  constructor(private readonly options: RelayOptions) {
    this.names = options.namespaces.map((namespace) => namespace.name)
  }

  /** How long the cache has been owed the oldest change that this process failed to deliver; 0 where it is owed none */
  get backlogSeconds(): number {
    return this.owedSince === undefined ? 0 : (performance.now() - this.owedSince) / 1000
  }

  async start(): Promise<void> {
    this.listener = await listenToOutbox(this.options.database, () => this.wake())
    this.timers = [setInterval(() => this.wake(), this.options.intervalMs), setInterval(() => this.tidyOnce(), tidyMs)]
    for (const timer of this.timers) timer.unref()
  }

  async stop(): Promise<void> {
    for (const timer of this.timers) clearInterval(timer)
    await this.listener?.stop().catch(() => undefined)
    await this.draining
    await this.lastConfirmation
  }

  /**
   * What a mutation of this process committed: at once. Resolves when no process serves the old value any more. Whoever does not confirm is
   * waited for until it has lost the right to answer, and at most `maxWaitMs`; what is owed then is left to the drain.
   */
  async deliverOwn(rows: readonly OutboxRow[]): Promise<void> {
    // Those of a newer version of this program are not ours to confirm.
    const known = rows.filter(({ namespace }) => this.names.includes(namespace))
    if (known.length === 0) return
    const { registration, epoch } = this.options.cache
    const isConfirmed = await this.deliver(known, epoch)
    const until = performance.now() + this.options.maxWaitMs
    const carry = async () => this.waitForOthers(await this.confirmOwn(known, isConfirmed ? registration : undefined), until)
    // A connection to the database that is lost just now is no reason to leave other stores behind.
    while (!(await this.attempt(carry)) && performance.now() < until) await this.options.sleep(waitPauseMs)
  }

  /**
   * Delivers all that was committed up to now, whoever claimed it: whoever did may be frozen. Rejects when the cache did not confirm. What
   * commits later is the drain's.
   */
  async catchUp(store: Addressed): Promise<void> {
    if (!(await this.deliverAll(store))) throw new Error('an invalidation was not confirmed')
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
        const { registration, epoch } = this.options.cache
        if (registration !== undefined) await this.deliverDue({ registration, epoch })
        // A cache that is distrusted is caught up with as soon as it answers. To claim rows for it until then would keep them from others.
        else this.owedSince = await oldestOutboxRow(this.options.database, this.names)
        this.lastReport = ''
      } catch (error) {
        this.report(error)
      }
    }
  }

  /** In batches that any number of processes share; whoever finds a full one carries all that waits at once, so that nothing waits long. */
  private async deliverDue(store: Addressed): Promise<void> {
    while ((await this.deliverBatch(store, 0)) === batchSize && (await this.deliverAll(store)));
  }

  private async deliverBatch({ registration, epoch }: Addressed, after: number): Promise<number> {
    const { database } = this.options
    const rows = await claimOutboxRows(database, { ...this.reader(registration), after, limit: batchSize, claimMs })
    if (rows.length === 0) {
      this.owedSince = undefined
      return 0
    }
    if (await this.deliver(rows, epoch)) {
      await confirmOutboxRows(database, registration, rows)
      return rows.length
    }
    // Another process may still reach the store.
    await makeOutboxRowsDue(database, rows)
    return 0
  }

  /** Answers whether the cache confirmed. What is committed while a long backlog is being deleted does not wait for the end of that. */
  private async deliverAll(store: Addressed): Promise<boolean> {
    const { registration, epoch } = store
    const { changes, snapshot, lastId } = await readOutbox(this.options.database, { ...this.reader(registration), maxRows })
    if (changes.length === 0) return true
    if (!(await this.deliver(changes, epoch))) return false
    // What stays is delivered once more.
    await this.confirmAll(store, snapshot, lastId).catch((error) => this.report(error))
    return true
  }

  private async confirmAll(store: Addressed, snapshot: string, lastId: number): Promise<void> {
    const { registration } = store
    const { database } = this.options
    const which = { ...this.reader(registration), snapshot, limit: maxConfirmedAtOnce }
    while ((await confirmOutboxRowsIn(database, which)) === maxConfirmedAtOnce) await this.deliverBatch(store, lastId)
  }

  /** Answers whether the cache confirmed, and is the one that it was meant for. */
  private async deliver(changes: readonly OutboxChange[], epoch: number): Promise<boolean> {
    const oldest = changes.reduce((oldest, { writtenAt }) => Math.min(oldest, writtenAt), Number.POSITIVE_INFINITY)
    const isConfirmed = (await this.invalidate(changes)) && this.options.cache.epoch === epoch
    this.owedSince = isConfirmed ? undefined : oldest
    const now = performance.now()
    if (isConfirmed) for (const { writtenAt } of changes) this.options.observeLag((now - writtenAt) / 1000)
    return isConfirmed
  }

  /** Gives the rows that are owed to other stores, or to this one where it did not confirm them. */
  private async confirmOwn(rows: readonly OutboxRow[], registration: string | undefined): Promise<readonly OutboxRow[]> {
    if (registration !== undefined) return this.confirmWithOthers(rows, registration)
    await makeOutboxRowsDue(this.options.database, rows)
    return rows
  }

  /** Answers whether it succeeded. */
  private async attempt(work: () => Promise<void>): Promise<boolean> {
    try {
      await work()
      return true
    } catch (error) {
      this.report(error)
      return false
    }
  }

  private async waitForOthers(rows: readonly OutboxRow[], until: number): Promise<void> {
    const { database, inUseMs, sleep } = this.options
    let owed = rows
    while (owed.length > 0) {
      owed = await owedOutboxRows(database, owed, inUseMs)
      if (owed.length === 0 || performance.now() >= until) return
      await sleep(waitPauseMs)
    }
  }

  /** While one statement confirms, the rows of all mutations that end meanwhile wait for the next one. Gives those owed to other stores. */
  private async confirmWithOthers(rows: readonly OutboxRow[], registration: string): Promise<OutboxRow[]> {
    // The store may have been registered anew since the next one was begun.
    const isOfStore = this.confirmation?.registration === registration
    const confirmation = (isOfStore && this.confirmation) || this.nextConfirmation(registration)
    confirmation.rows.push(...rows)
    const owed = new Set((await confirmation.owed).map(({ id }) => id))
    return rows.filter(({ id }) => owed.has(id))
  }

  private nextConfirmation(registration: string): Confirmation {
    const rows: OutboxRow[] = []
    const owed = this.lastConfirmation.then(() => {
      if (this.confirmation?.rows === rows) this.confirmation = undefined
      return confirmOutboxRows(this.options.database, registration, rows)
    })
    this.lastConfirmation = owed.catch(() => undefined)
    this.confirmation = { registration, rows, owed }
    return this.confirmation
  }

  private reader(registration: string) {
    return { store: registration, namespaces: this.names }
  }

  /** One that waits for a lock is not joined by the next. */
  private tidyOnce(): void {
    this.tidying ??= this.tidy().finally(() => {
      this.tidying = undefined
    })
  }

  /** What no store in use is owed goes, and so do stores that nobody uses. */
  private async tidy(): Promise<void> {
    const { database } = this.options
    try {
      await unregisterUnusedCacheStores(database, { unusedMs, behindMs, maxOwed: maxRows })
      await deleteDeliveredOutboxRows(database, maxConfirmedAtOnce)
    } catch (error) {
      this.report(error)
    }
  }

  private report(error: unknown): void {
    const message = `outbox: ${error instanceof Error ? error.message : String(error)}; will be tried again`
    if (message !== this.lastReport) this.options.log(message)
    this.lastReport = message
  }
}

/** The store that a change is owed to, and the epoch of the cache in which it is the one that the cache reaches */
interface Addressed {
  registration: string
  epoch: number
}

interface Confirmation {
  registration: string
  rows: OutboxRow[]
  /** Those that are owed to other stores */
  owed: Promise<OutboxRow[]>
}

type Outdated = Pick<OutboxChange, 'namespace' | 'entry' | 'list'>

const batchSize = 500
const tidyMs = 1_000
/** A store that nobody has used for that long is emptied before it is used again, and until then nothing is kept for it. */
const unusedMs = 60_000
/** The same where it is owed so much that keeping it would slow down the others; above the time for which one is trusted. */
const behindMs = 5_000
const waitPauseMs = 5
/** For a process that stops with rows in hand: so long others leave them alone. */
const claimMs = 500
/** Of a namespace, in what is carried at once; with more the namespace is given up. */
const maxRows = 2_000
/** So that a statement takes far less time than one may */
const maxConfirmedAtOnce = 20_000

function invalidations(changes: readonly Outdated[]) {
  if (changes.some(({ entry, list }) => entry === null && list === null)) return ['all' as const]
  const ids = new Set(changes.flatMap(({ entry }) => entry ?? []))
  const lists = new Set(changes.flatMap(({ list }) => list ?? []))
  return [...(ids.size > 0 ? [{ ids: [...ids] }] : []), ...(lists.size > 0 ? [{ lists: [...lists] }] : [])]
}
