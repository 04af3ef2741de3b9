import type { Cache } from '../cache/cache.js'
import type { Namespace } from '../cache/namespace.js'
import { unregisterUnusedCacheStores } from './cache-stores.js'
import type { Database } from './database.js'
import {
  claimOutboxRows,
  confirmOutboxRows,
  confirmOutboxSnapshot,
  deleteDeliveredOutboxRows,
  listenToOutbox,
  makeOutboxRowsDue,
  type OutboxChange,
  type OutboxRow,
  oldestOutboxRowWrittenAt,
  readOutbox,
  undeliveredOutboxRows,
} from './outbox.js'

export interface RelayOptions {
  /** Not the pool of requests, where transactions may occupy all connections while they wait for each other's locks */
  database: Database
  cache: Cache
  namespaces: readonly Namespace<unknown>[]
  /** Interval of draining the outbox without a notification, for rows that an outage or a crash left behind */
  intervalMs: number
  /**
   * A store is in use if a process reported so within this time: that of a trust lease, during which the process may answer from
   * it.
   */
  inUseMs: number
  /**
   * How long a mutation waits for other stores to confirm, or, if its own store is unreachable, for other processes to deliver
   */
  maxWaitMs: number
  sleep: (ms: number) => Promise<void>
  /** Called for each change with the time from its write to the confirmation of the cache */
  observeLag: (seconds: number) => void
  log: (message: string) => void
}

/**
 * Delivers committed changes from the outbox to the cache. A row is deleted only after every registered store has confirmed the
 * invalidation, so a crash or an outage at any moment delays it but loses nothing. Any number of processes may run a relay:
 * delivering a row twice is harmless, and claims make it rare. No row is locked while the relay waits for the cache.
 */
export class Relay {
  private readonly namespaceNames: readonly string[]
  private listener: { stop: () => Promise<void> } | undefined
  private timers: NodeJS.Timeout[] = []
  private cleanup: Promise<void> | undefined
  private draining: Promise<void> | undefined
  private drainRequested = false
  private lastLogged = ''
  private backlogSince: number | undefined
  private openConfirmation: Confirmation | undefined
  private lastConfirmation: Promise<unknown> = Promise.resolve()

  constructor(private readonly options: RelayOptions) {
    this.namespaceNames = options.namespaces.map((namespace) => namespace.name)
  }

  /** Age of the oldest change that this process failed to deliver to its cache; 0 if there is none */
  get backlogSeconds(): number {
    return this.backlogSince === undefined ? 0 : (performance.now() - this.backlogSince) / 1000
  }

  async start(): Promise<void> {
    this.listener = await listenToOutbox(this.options.database, () => this.wake())
    this.timers = [
      setInterval(() => this.wake(), this.options.intervalMs),
      setInterval(() => this.startCleanup(), cleanupIntervalMs),
    ]
    for (const timer of this.timers) timer.unref()
  }

  async stop(): Promise<void> {
    for (const timer of this.timers) clearInterval(timer)
    await this.listener?.stop().catch(() => undefined)
    await this.draining
    await this.lastConfirmation
  }

  /**
   * Delivers the rows that a mutation of this process committed, at once. Resolves when no process serves the old values any
   * more. It waits for a process that does not confirm until the trust lease of that process has expired, and at most
   * `maxWaitMs`; drain() delivers what is left then.
   */
  async deliverOwn(rows: readonly OutboxRow[]): Promise<void> {
    // Only a newer version of this program knows the other namespaces, and confirms their rows.
    const known = rows.filter(({ namespace }) => this.namespaceNames.includes(namespace))
    if (known.length === 0) return
    const { registration, epoch } = this.options.cache
    const isConfirmed = await this.deliver(known, epoch)
    const deadline = performance.now() + this.options.maxWaitMs
    const confirm = async () =>
      this.waitForOtherStores(await this.confirmOwn(known, isConfirmed ? registration : undefined), deadline)
    // Retried, since other stores must get the rows even if the connection to the database is lost now.
    while (!(await this.succeeds(confirm)) && performance.now() < deadline) await this.options.sleep(pollIntervalMs)
  }

  /**
   * Delivers all rows committed up to now, claimed or not: the process that claimed them may hang. Rejects if the cache did not
   * confirm. Later commits are delivered by drain().
   */
  async catchUp(store: StoreRegistration): Promise<void> {
    if (!(await this.deliverAll(store))) throw new Error('an invalidation was not confirmed')
  }

  /** Returns whether the cache confirmed all invalidations. */
  async invalidate(rows: readonly ChangedKey[]): Promise<boolean> {
    const work = this.options.namespaces.flatMap((namespace) => {
      const changes = rows.filter((row) => row.namespace === namespace.name)
      return invalidationsOf(changes).map((invalidation) => this.options.cache.invalidate(namespace, invalidation))
    })
    return (await Promise.all(work)).every((confirmed) => confirmed)
  }

  private wake(): void {
    this.drainRequested = true
    this.draining ??= this.drain().finally(() => {
      this.draining = undefined
    })
  }

  private async drain(): Promise<void> {
    while (this.drainRequested) {
      this.drainRequested = false
      try {
        const { registration, epoch } = this.options.cache
        if (registration !== undefined) await this.deliverDue({ registration, epoch })
        // A distrusted cache catches up as soon as it answers. Claiming rows for it until then would keep them from other
        // processes.
        else this.backlogSince = await oldestOutboxRowWrittenAt(this.options.database, this.namespaceNames)
        this.lastLogged = ''
      } catch (error) {
        this.logError(error)
      }
    }
  }

  /**
   * Delivers batches, shared among the processes by claims. A full batch indicates a backlog, which is then delivered as a whole.
   */
  private async deliverDue(store: StoreRegistration): Promise<void> {
    while ((await this.deliverBatch(store, 0)) === batchSize && (await this.deliverAll(store)));
  }

  private async deliverBatch({ registration, epoch }: StoreRegistration, after: number): Promise<number> {
    const { database } = this.options
    const rows = await claimOutboxRows(database, { ...this.outboxReader(registration), after, limit: batchSize, claimMs })
    if (rows.length === 0) {
      this.backlogSince = undefined
      return 0
    }
    if (await this.deliver(rows, epoch)) {
      await confirmOutboxRows(database, registration, rows)
      return rows.length
    }
    // Another process may be able to reach the store.
    await makeOutboxRowsDue(database, rows)
    return 0
  }

  /**
   * Returns whether the cache confirmed. Rows committed while a long backlog is being deleted are delivered in between (see
   * confirmAll).
   */
  private async deliverAll(store: StoreRegistration): Promise<boolean> {
    const { registration, epoch } = store
    const { changes, snapshot, lastId } = await readOutbox(this.options.database, { ...this.outboxReader(registration), maxRows })
    if (changes.length === 0) return true
    if (!(await this.deliver(changes, epoch))) return false
    // If this fails, the rows stay and are delivered again.
    await this.confirmAll(store, snapshot, lastId).catch((error) => this.logError(error))
    return true
  }

  private async confirmAll(store: StoreRegistration, snapshot: string, lastId: number): Promise<void> {
    const { registration } = store
    const { database } = this.options
    const selection = { ...this.outboxReader(registration), snapshot, limit: maxConfirmedAtOnce }
    while ((await confirmOutboxSnapshot(database, selection)) === maxConfirmedAtOnce) await this.deliverBatch(store, lastId)
  }

  /** Returns whether the cache confirmed, and its store was not replaced meanwhile. */
  private async deliver(changes: readonly OutboxChange[], epoch: number): Promise<boolean> {
    const oldest = changes.reduce((oldest, { writtenAt }) => Math.min(oldest, writtenAt), Number.POSITIVE_INFINITY)
    const isConfirmed = (await this.invalidate(changes)) && this.options.cache.epoch === epoch
    this.backlogSince = isConfirmed ? undefined : oldest
    const now = performance.now()
    if (isConfirmed) for (const { writtenAt } of changes) this.options.observeLag((now - writtenAt) / 1000)
    return isConfirmed
  }

  /**
   * Returns the rows that other stores have not confirmed; all rows if this store did not confirm them (`registration` is
   * undefined).
   */
  private async confirmOwn(rows: readonly OutboxRow[], registration: string | undefined): Promise<readonly OutboxRow[]> {
    if (registration !== undefined) return this.confirmInBatch(rows, registration)
    await makeOutboxRowsDue(this.options.database, rows)
    return rows
  }

  /** Returns false, and logs the error, if the work fails. */
  private async succeeds(work: () => Promise<void>): Promise<boolean> {
    try {
      await work()
      return true
    } catch (error) {
      this.logError(error)
      return false
    }
  }

  private async waitForOtherStores(rows: readonly OutboxRow[], deadline: number): Promise<void> {
    const { database, inUseMs, sleep } = this.options
    let undelivered = rows
    while (undelivered.length > 0) {
      undelivered = await undeliveredOutboxRows(database, undelivered, inUseMs)
      if (undelivered.length === 0 || performance.now() >= deadline) return
      await sleep(pollIntervalMs)
    }
  }

  /**
   * While one confirmation statement runs, the rows of all mutations that end meanwhile are collected for the next one. Returns
   * the rows that other stores have not confirmed.
   */
  private async confirmInBatch(rows: readonly OutboxRow[], registration: string): Promise<OutboxRow[]> {
    // The store may have been registered again since the open confirmation was created.
    const isOfStore = this.openConfirmation?.registration === registration
    const confirmation = (isOfStore && this.openConfirmation) || this.startConfirmation(registration)
    confirmation.rows.push(...rows)
    const undelivered = new Set((await confirmation.undelivered).map(({ id }) => id))
    return rows.filter(({ id }) => undelivered.has(id))
  }

  private startConfirmation(registration: string): Confirmation {
    const rows: OutboxRow[] = []
    const undelivered = this.lastConfirmation.then(() => {
      if (this.openConfirmation?.rows === rows) this.openConfirmation = undefined
      return confirmOutboxRows(this.options.database, registration, rows)
    })
    this.lastConfirmation = undelivered.catch(() => undefined)
    this.openConfirmation = { registration, rows, undelivered }
    return this.openConfirmation
  }

  private outboxReader(registration: string) {
    return { store: registration, namespaces: this.namespaceNames }
  }

  /** Starts a cleanup unless one is running, which may be waiting for a lock. */
  private startCleanup(): void {
    this.cleanup ??= this.cleanUp().finally(() => {
      this.cleanup = undefined
    })
  }

  /** Unregisters unused stores, and deletes rows that every remaining store has confirmed. */
  private async cleanUp(): Promise<void> {
    const { database } = this.options
    try {
      await unregisterUnusedCacheStores(database, { unusedMs, laggingMs, maxUndelivered: maxRows })
      await deleteDeliveredOutboxRows(database, maxConfirmedAtOnce)
    } catch (error) {
      this.logError(error)
    }
  }

  private logError(error: unknown): void {
    const message = `outbox: ${error instanceof Error ? error.message : String(error)}; will be retried`
    if (message !== this.lastLogged) this.options.log(message)
    this.lastLogged = message
  }
}

/** A registered store, and the epoch of the cache in which the cache uses it */
interface StoreRegistration {
  registration: string
  epoch: number
}

interface Confirmation {
  registration: string
  rows: OutboxRow[]
  /** The rows that other stores have not confirmed */
  undelivered: Promise<OutboxRow[]>
}

type ChangedKey = Pick<OutboxChange, 'namespace' | 'entry' | 'list'>

const batchSize = 500
const cleanupIntervalMs = 1_000
/**
 * A store that no process has used for this long is unregistered: no rows are kept for it, and it is emptied before it is used
 * again.
 */
const unusedMs = 60_000
/** The same for a store with so many undelivered rows that they slow down the others. Longer than a trust lease. */
const laggingMs = 5_000
const pollIntervalMs = 5
/** How long other processes skip claimed rows; the delay of these rows if the process that claimed them crashes */
const claimMs = 500
/** Maximum number of rows of one namespace that are delivered as single keys; with more, the whole namespace is invalidated. */
const maxRows = 2_000
/** Keeps the duration of a statement far below the statement timeout. */
const maxConfirmedAtOnce = 20_000

function invalidationsOf(changes: readonly ChangedKey[]) {
  if (changes.some(({ entry, list }) => entry === null && list === null)) return ['all' as const]
  const ids = new Set(changes.flatMap(({ entry }) => entry ?? []))
  const lists = new Set(changes.flatMap(({ list }) => list ?? []))
  return [...(ids.size > 0 ? [{ ids: [...ids] }] : []), ...(lists.size > 0 ? [{ lists: [...lists] }] : [])]
}
