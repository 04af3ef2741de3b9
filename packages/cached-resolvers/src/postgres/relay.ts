import type { Cache } from '../cache/cache.js'
import type { Namespace } from '../cache/namespace.js'
import { unregisterUnusedCacheStores } from './cache-stores.js'
import type { Database } from './database.js'
import {
  claimOutboxRows,
  confirmOutboxRows,
  confirmOutboxSnapshot,
  deleteConfirmedOutboxRows,
  listenToOutbox,
  makeOutboxRowsDue,
  type OutboxChange,
  type OutboxRow,
  type OutboxSelection,
  oldestOutboxRowWrittenAt,
  readOutbox,
  unconfirmedOutboxRows,
} from './outbox.js'

export interface RelayOptions {
  /**
   * Should not be the connection pool that serves requests. The transactions of requests can occupy every connection while they
   * wait for each other's locks, which would block the relay.
   */
  database: Database
  cache: Cache
  namespaces: readonly Namespace<unknown>[]
  /** Interval at which the relay checks the outbox without a notification, to find rows that an outage or a crash left behind */
  intervalMs: number
  /**
   * A mutation waits only for stores that a process has reported in use within this time. Must equal ChangeSource.leaseMs, the
   * duration of the trust lease: for this long, a process may serve from a store after reporting it in use.
   */
  inUseMs: number
  /**
   * How long a mutation waits for other stores to confirm its changes, or, if its own store is unreachable, for other processes
   * to deliver the changes
   */
  maxWaitMs: number
  sleep: (ms: number) => Promise<void>
  /** Called for each delivered change with the time between its write and the confirmation of the cache */
  observeLag: (seconds: number) => void
  log: (message: string) => void
}

/**
 * Delivers committed changes from the outbox to the cache, which invalidates the affected entries. A row is deleted only after
 * every registered store has confirmed the invalidation, so a crash or an outage can delay an invalidation but cannot lose it.
 * Any number of processes may run a relay, because delivering a row twice is harmless, and claims make double deliveries rare.
 * The relay holds no row locks while it waits for the cache.
 */
export class Relay {
  private readonly namespaceNames: readonly string[]
  private listener: { stop: () => Promise<void> } | undefined
  private timers: NodeJS.Timeout[] = []
  private cleanup: Promise<void> | undefined
  private draining: Promise<void> | undefined
  private drainRequested = false
  private lastLogged = ''
  private isStopped = false
  private backlogSince: number | undefined
  private openConfirmation: Confirmation | undefined
  private lastConfirmation: Promise<unknown> = Promise.resolve()

  constructor(private readonly options: RelayOptions) {
    this.namespaceNames = options.namespaces.map((namespace) => namespace.name)
  }

  /** Age of the oldest change that this process could not deliver to its cache; 0 if all changes were delivered */
  get backlogSeconds(): number {
    return this.backlogSince === undefined ? 0 : (performance.now() - this.backlogSince) / 1000
  }

  async start(): Promise<void> {
    this.listener = await listenToOutbox(this.options.database, () => this.requestDrain())
    this.timers = [
      setInterval(() => this.requestDrain(), this.options.intervalMs),
      setInterval(() => this.startCleanup(), cleanupIntervalMs),
    ]
    for (const timer of this.timers) timer.unref()
  }

  async stop(): Promise<void> {
    this.isStopped = true
    for (const timer of this.timers) clearInterval(timer)
    await this.listener?.stop().catch(() => undefined)
    await this.draining
    await this.lastConfirmation
  }

  /**
   * Delivers the rows that a mutation of this process committed. Then waits, for at most `maxWaitMs`, until no process serves the old
   * values: until each store has confirmed the rows, or the trust leases on that store have expired. `drain()` delivers the rows that
   * are still pending afterwards.
   */
  async deliverOwn(rows: readonly OutboxRow[]): Promise<void> {
    // Skip rows of namespaces that this version does not know. Processes running a newer version deliver and confirm these rows.
    const known = rows.filter(({ namespace }) => this.namespaceNames.includes(namespace))
    if (known.length === 0) return
    const { registration, epoch } = this.options.cache
    const isConfirmed = await this.deliver(known, epoch)
    const deadline = performance.now() + this.options.maxWaitMs
    const confirm = async () =>
      this.waitUntilConfirmed(await this.confirmOwn(known, isConfirmed ? registration : undefined), deadline)
    // Retry if the database connection is lost: `confirm` makes the rows due, so that other processes deliver them at once, and not
    // only after the relay's delay (see collectChanges).
    while (!(await this.runOrLogError(confirm)) && performance.now() < deadline) await this.options.sleep(pollIntervalMs)
  }

  /**
   * Delivers all rows committed before this call, including rows that another process has claimed, since that process may hang.
   * Rejects if the cache did not confirm them. `drain()` delivers rows that are committed later.
   */
  async catchUp(store: StoreRegistration): Promise<void> {
    if (!(await this.deliverAll(store))) throw new Error('an invalidation was not confirmed')
  }

  /** Invalidates the changed keys in the cache. Returns whether the cache confirmed all invalidations. */
  async invalidate(rows: readonly ChangedKey[]): Promise<boolean> {
    const work = this.options.namespaces.flatMap((namespace) => {
      const changes = rows.filter((row) => row.namespace === namespace.name)
      return invalidationsOf(changes).map((invalidation) => this.options.cache.invalidate(namespace, invalidation))
    })
    return (await Promise.all(work)).every((confirmed) => confirmed)
  }

  /** Starts to drain the outbox. If a drain is already running, it checks the outbox once more before it ends instead. */
  private requestDrain(): void {
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
        // While the cache distrusts its store, the registration is undefined. Once the store answers again, the cache calls
        // catchUp(), which delivers all rows. Until then, claims would only keep other processes that use the same store from
        // delivering the rows.
        else this.backlogSince = await oldestOutboxRowWrittenAt(this.options.database, this.namespaceNames)
        this.lastLogged = ''
      } catch (error) {
        this.logError(error)
      }
    }
  }

  /**
   * Delivers due rows in batches. The processes of a store share the work: each process delivers the rows that it claimed. A full
   * batch indicates a backlog, so all pending rows are then delivered together.
   */
  private async deliverDue(store: StoreRegistration): Promise<void> {
    let delivered = await this.deliverBatch(store, 0)
    while (delivered === batchSize && (await this.deliverAll(store))) delivered = await this.deliverBatch(store, 0)
  }

  private async deliverBatch({ registration, epoch }: StoreRegistration, after: number): Promise<number> {
    const { database } = this.options
    const rows = await claimOutboxRows(database, { ...this.selectionOf(registration), after, limit: batchSize, claimMs })
    if (rows.length === 0) {
      this.backlogSince = undefined
      return 0
    }
    if (await this.deliver(rows, epoch)) {
      await confirmOutboxRows(database, registration, rows)
      return rows.length
    }
    // End the claims, since another process may be able to reach the store.
    await makeOutboxRowsDue(database, rows)
    return 0
  }

  /**
   * Delivers all rows that the store has not confirmed, whether or not they are due. Returns whether the cache confirmed them.
   */
  private async deliverAll(store: StoreRegistration): Promise<boolean> {
    const { registration, epoch } = store
    const { changes, snapshot, lastId } = await readOutbox(this.options.database, {
      ...this.selectionOf(registration),
      maxRowsPerNamespace,
    })
    if (changes.length === 0) return true
    if (!(await this.deliver(changes, epoch))) return false
    // If the confirmation fails, the rows stay in the outbox and are delivered again.
    await this.confirmAll(store, snapshot, lastId).catch((error) => this.logError(error))
    return true
  }

  /**
   * Marks the rows visible in the snapshot as confirmed, in several statements. Between the statements it delivers newer rows
   * (ids greater than `lastId`), so that a long backlog does not delay them.
   */
  private async confirmAll(store: StoreRegistration, snapshot: string, lastId: number): Promise<void> {
    const { registration } = store
    const { database } = this.options
    const selection = { ...this.selectionOf(registration), snapshot, limit: maxConfirmedAtOnce }
    while ((await confirmOutboxSnapshot(database, selection)) === maxConfirmedAtOnce) await this.deliverBatch(store, lastId)
  }

  /**
   * Invalidates in the cache what the changes affect. Returns true if the cache has confirmed all invalidations and has not
   * distrusted its store since `epoch` began.
   */
  private async deliver(changes: readonly OutboxChange[], epoch: number): Promise<boolean> {
    const oldest = changes.reduce((time, { writtenAt }) => Math.min(time, writtenAt), Number.POSITIVE_INFINITY)
    const isConfirmed = (await this.invalidate(changes)) && this.options.cache.epoch === epoch
    this.backlogSince = isConfirmed ? undefined : oldest
    const now = performance.now()
    if (isConfirmed) for (const { writtenAt } of changes) this.options.observeLag((now - writtenAt) / 1000)
    return isConfirmed
  }

  /**
   * Marks the rows as confirmed by this store, and returns the rows that other stores have not confirmed. `registration` is
   * undefined if this store did not confirm the rows. In this case, makes all rows due for other processes, and returns them.
   */
  private async confirmOwn(rows: readonly OutboxRow[], registration: string | undefined): Promise<readonly OutboxRow[]> {
    if (registration !== undefined) return this.confirmInBatch(rows, registration)
    await makeOutboxRowsDue(this.options.database, rows)
    return rows
  }

  /** Runs the work. Returns true if it succeeded; logs the error and returns false if it failed. */
  private async runOrLogError(work: () => Promise<void>): Promise<boolean> {
    try {
      await work()
      return true
    } catch (error) {
      this.logError(error)
      return false
    }
  }

  /** Polls until every store in use has confirmed the rows, or until the deadline. */
  private async waitUntilConfirmed(rows: readonly OutboxRow[], deadline: number): Promise<void> {
    const { database, inUseMs, sleep } = this.options
    let unconfirmed = rows
    while (unconfirmed.length > 0) {
      unconfirmed = await unconfirmedOutboxRows(database, unconfirmed, inUseMs)
      if (unconfirmed.length === 0 || performance.now() >= deadline) return
      await sleep(pollIntervalMs)
    }
  }

  /**
   * Marks rows as confirmed by this store. Returns the rows that other stores have not confirmed. Confirmation statements run one
   * at a time. While one runs, the rows of all mutations that finish are collected for the next statement.
   */
  private async confirmInBatch(rows: readonly OutboxRow[], registration: string): Promise<OutboxRow[]> {
    // The store may have been registered again since the open confirmation was created.
    const hasSameRegistration = this.openConfirmation?.registration === registration
    const confirmation = (hasSameRegistration && this.openConfirmation) || this.startConfirmation(registration)
    confirmation.rows.push(...rows)
    const unconfirmed = new Set((await confirmation.unconfirmed).map(({ id }) => id))
    return rows.filter(({ id }) => unconfirmed.has(id))
  }

  /** Creates a confirmation that collects rows until the previous one has ended. */
  private startConfirmation(registration: string): Confirmation {
    const rows: OutboxRow[] = []
    const unconfirmed = this.lastConfirmation.then(() => {
      if (this.openConfirmation?.rows === rows) this.openConfirmation = undefined
      return confirmOutboxRows(this.options.database, registration, rows)
    })
    this.lastConfirmation = unconfirmed.catch(() => undefined)
    this.openConfirmation = { registration, rows, unconfirmed }
    return this.openConfirmation
  }

  private selectionOf(registration: string): OutboxSelection {
    return { registration, namespaces: this.namespaceNames }
  }

  /** Starts a cleanup, unless the previous cleanup is still running, for example because it waits for a lock. */
  private startCleanup(): void {
    this.cleanup ??= this.cleanUp().finally(() => {
      this.cleanup = undefined
    })
  }

  /** Unregisters unused stores, and deletes rows that every remaining store has confirmed. */
  private async cleanUp(): Promise<void> {
    const { database } = this.options
    try {
      await unregisterUnusedCacheStores(database, { unusedMs, laggingStoreUnusedMs, maxUnconfirmed })
      await deleteConfirmedOutboxRows(database, maxConfirmedAtOnce)
    } catch (error) {
      // stop() does not wait for the cleanup, which may wait for a lock. The end of the connections then interrupts it.
      if (!this.isStopped) this.logError(error)
    }
  }

  private logError(error: unknown): void {
    const message = `Failed to process the outbox: ${error instanceof Error ? error.message : String(error)}. Will retry`
    if (message !== this.lastLogged) this.options.log(message)
    this.lastLogged = message
  }
}

/** The registration of a store, and the epoch of the cache in which the cache uses this registration (see Trust.epoch) */
interface StoreRegistration {
  registration: string
  epoch: number
}

/** Rows that one statement confirms */
interface Confirmation {
  registration: string
  rows: OutboxRow[]
  /** The rows that other stores have not confirmed */
  unconfirmed: Promise<OutboxRow[]>
}

type ChangedKey = Pick<OutboxChange, 'namespace' | 'entry' | 'list'>

const batchSize = 500
const cleanupIntervalMs = 1_000
/**
 * A store that no process has reported in use for this long is unregistered. The outbox then keeps no rows for the store, and the
 * store is emptied before a process uses it again.
 */
const unusedMs = 60_000
/**
 * A store with more than `maxUnconfirmed` unconfirmed rows is unregistered after this shorter time without use, provided that
 * another store is in use, because the rows kept for the unused store slow down deliveries to other stores. This time is longer
 * than a trust lease, so no process still serves from the store.
 */
const laggingStoreUnusedMs = 5_000
const maxUnconfirmed = 2_000
const pollIntervalMs = 5
/** How long other processes skip claimed rows. If the process that claimed them crashes, the rows are delayed by this time. */
const claimMs = 500
/**
 * Maximum number of rows of one namespace that are delivered as single keys. With more rows, the whole namespace is invalidated.
 */
const maxRowsPerNamespace = 2_000
/**
 * Maximum number of rows that one statement confirms or deletes. It keeps the duration of the statement far below the statement
 * timeout.
 */
const maxConfirmedAtOnce = 20_000

function invalidationsOf(changes: readonly ChangedKey[]) {
  if (changes.some(({ entry, list }) => entry === null && list === null)) return ['all' as const]
  const ids = new Set(changes.flatMap(({ entry }) => entry ?? []))
  const lists = new Set(changes.flatMap(({ list }) => list ?? []))
  return [...(ids.size > 0 ? [{ ids: [...ids] }] : []), ...(lists.size > 0 ? [{ lists: [...lists] }] : [])]
}
