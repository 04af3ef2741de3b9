import type { OutboxRow } from '../../packages/cached-resolvers/src/postgres/outbox.js'
import type { LiveChange } from '../../src/platform/database/live-changes.js'
import type { Connection, Server, ServerEnd } from './network.js'
import { PostgresError } from './postgres-errors.js'
import type { ScheduledEvent, Simulation } from './simulation.js'

/** A row is a register that holds a version. Every write creates a new version; negative: the row was deleted. */
export type Version = number

export interface Change {
  key: string
  /** Whether the row exists after the change */
  exists: boolean
}

/** The rows that the triggers of the migrations write for a change */
export interface ChangeRecords {
  outbox: readonly Pick<OutboxRow, 'namespace' | 'entry' | 'list'>[]
  live: readonly Pick<LiveChange, 'kind' | 'ids' | 'owners'>[]
}

export interface StoredOutboxRow extends Omit<OutboxRow, 'writtenAt'> {
  transaction: Transaction
  dueAt: number
  writtenAt: number
  /** Registrations of stores */
  deliveredTo: readonly string[]
  claim: { by: string; until: number } | null
}

/** A row of cache_stores, stored by its name */
export interface StoredCacheStore {
  registration: string
  namespaces: readonly string[]
  registeredAt: number
  inUseAt: number | null
}

interface StoredLiveChange extends LiveChange {
  xid: number
}

export class Transaction {
  state: 'open' | 'committed' | 'rolled back' = 'open'
  relayDelayMs = 0
  readonly versions = new Map<string, Version>()
  readonly lockedKeys: string[] = []
  readonly notifies = new Set<string>()
  /** Called when it ends */
  readonly onEnd: (() => void)[] = []

  constructor(readonly xid: number) {}
}

/** A connection to the server, with its open transaction */
export interface Session {
  readonly name: string
  transaction: Transaction | null
  /** Time since which the session waits for the next statement; null while one is running */
  idleSince: number | null
  notify: ((channel: string) => void) | null
  readonly listening: Set<string>
  isOpen: boolean
  close: () => void
}

/** A statement, called when it arrives at the server. Calls `reply` or `fail`, immediately or later. */
export type Statement = (
  server: PostgresServer,
  session: Session,
  reply: (result: unknown) => void,
  fail: (error: Error) => void,
) => void

export type PostgresMessage =
  | { kind: 'result'; result: unknown }
  | { kind: 'error'; error: Error }
  | { kind: 'notification'; channel: string }

export interface PostgresServerOptions {
  simulation: Simulation
  /** The rows that the triggers write for the changes of one statement */
  changeRecordsOf: (changes: readonly Change[]) => ChangeRecords
  onCommitted: (versions: ReadonlyMap<string, Version>) => void
}

const statementTimeoutMs = 5_000
const idleInTransactionMs = 10_000

/**
 * One Postgres server at isolation level read committed: row locks, outbox, live changes, notifications, concurrent transactions.
 */
export class PostgresServer implements Server {
  readonly name = 'postgres'
  readonly isListening = true
  private readonly rows = new Map<string, Version>()
  private readonly lastVersions = new Map<string, number>()
  private readonly rowLocks = new Map<string, Transaction>()
  private outbox: StoredOutboxRow[] = []
  private live: StoredLiveChange[] = []
  /** By name */
  readonly cacheStores = new Map<string, StoredCacheStore>()
  private nextRegistration = 1
  private nextOutboxId = 1
  private nextLiveId = 1
  private nextXid = 1
  private readonly open = new Set<Transaction>()
  private readonly sessions = new Set<Session>()

  constructor(private readonly options: PostgresServerOptions) {}

  get now(): number {
    return this.options.simulation.now
  }

  accept(connection: Connection): ServerEnd {
    const session: Session = {
      name: connection.name,
      transaction: null,
      idleSince: this.now,
      notify: (channel) => connection.reply({ kind: 'notification', channel } satisfies PostgresMessage),
      listening: new Set(),
      isOpen: true,
      close: () => connection.reset(),
    }
    this.sessions.add(session)
    return {
      received: (statement) => {
        session.idleSince = null
        const send = (message: PostgresMessage) => {
          session.idleSince = this.now
          if (session.transaction) this.watchIdle(session)
          connection.reply(message)
        }
        ;(statement as Statement)(
          this,
          session,
          (result) => send({ kind: 'result', result }),
          (error) => send({ kind: 'error', error }),
        )
      },
      closed: () => {
        session.isOpen = false
        this.sessions.delete(session)
        if (session.transaction) this.end(session, 'rolled back')
      },
    }
  }

  /** A session without a network connection, as of psql on the server */
  localSession(name: string): Session {
    const none = () => undefined
    return { name, transaction: null, idleSince: null, notify: null, listening: new Set(), isOpen: true, close: none }
  }

  /** Creates the initial rows. */
  seed(keys: readonly string[]): void {
    for (const key of keys) {
      this.rows.set(key, 1)
      this.lastVersions.set(key, 1)
    }
    this.options.onCommitted(this.rows)
  }

  /** null: no such row */
  read(key: string): Version | null {
    const version = this.rows.get(key) ?? -1
    return version > 0 ? version : null
  }

  begin(session: Session): Transaction {
    const transaction = new Transaction(this.nextXid++)
    session.transaction = transaction
    this.open.add(transaction)
    return transaction
  }

  /** One statement that writes the rows in this order. Waits for transactions that hold a lock on one of them. */
  write(session: Session, changes: readonly Change[], done: () => void, fail: (error: Error) => void): void {
    const { transaction } = session
    if (!transaction) throw new Error('write() needs an open transaction')
    this.lock(
      transaction,
      changes.map(({ key }) => key),
      () => {
        for (const { key, exists } of changes) {
          const version = (this.lastVersions.get(key) ?? 0) + 1
          this.lastVersions.set(key, version)
          transaction.versions.set(key, exists ? version : -version)
        }
        this.recordChanges(transaction, changes)
        done()
      },
      fail,
    )
  }

  end(session: Session, outcome: 'committed' | 'rolled back'): void {
    const { transaction } = session
    session.transaction = null
    if (transaction?.state !== 'open') return
    transaction.state = outcome
    this.open.delete(transaction)
    for (const key of transaction.lockedKeys) if (this.rowLocks.get(key) === transaction) this.rowLocks.delete(key)
    if (outcome === 'committed') this.commit(session, transaction)
    else {
      this.outbox = this.outbox.filter((row) => row.transaction !== transaction)
      this.live = this.live.filter(({ xid }) => xid !== transaction.xid)
    }
    for (const notifyWaiter of transaction.onEnd.splice(0)) notifyWaiter()
  }

  /** The rows that `reader` can see: committed ones and its own */
  outboxRows(reader: Transaction | null): StoredOutboxRow[] {
    return this.outbox.filter(({ transaction }) => transaction.state === 'committed' || transaction === reader)
  }

  deleteOutboxRows(ids: ReadonlySet<number>): void {
    this.outbox = this.outbox.filter(({ id }) => !ids.has(id))
  }

  /** The registered stores of the namespace to which a change has not been delivered yet */
  pendingStores(namespace: string, deliveredTo: readonly string[]): StoredCacheStore[] {
    return [...this.cacheStores.values()].filter(
      ({ registration, namespaces }) => namespaces.includes(namespace) && !deliveredTo.includes(registration),
    )
  }

  register(name: string, namespaces: readonly string[]): string {
    const registration = String(this.nextRegistration++)
    this.cacheStores.set(name, { registration, namespaces, registeredAt: this.now, inUseAt: null })
    this.options.simulation.record(this.name, () => `registers ${name.split('@')[1]} as ${registration}`)
    return registration
  }

  unregister(name: string): void {
    this.options.simulation.record(this.name, () => `unregisters ${name.split('@')[1]}`)
    this.cacheStores.delete(name)
  }

  notify(channel: string): void {
    for (const listener of this.sessions) if (listener.listening.has(channel)) listener.notify?.(channel)
  }

  /** Whether an open transaction has written rows */
  get isWriting(): boolean {
    return this.rowLocks.size > 0
  }

  /** Like pg_current_snapshot() */
  snapshot(): string {
    const running = [...this.open].map(({ xid }) => xid).sort((a, b) => a - b)
    return `${running[0] ?? this.nextXid}:${this.nextXid}:${running.join()}`
  }

  liveChanges(): readonly StoredLiveChange[] {
    const running = new Set([...this.open].map(({ xid }) => xid))
    return this.live.filter(({ xid }) => !running.has(xid))
  }

  deleteLiveChanges(isKnown: (xid: number) => boolean): void {
    this.live = this.live.filter(({ xid }) => !isKnown(xid))
  }

  private commit(session: Session, transaction: Transaction): void {
    for (const [key, version] of transaction.versions) this.rows.set(key, version)
    if (transaction.versions.size > 0) {
      this.options.onCommitted(transaction.versions)
      this.options.simulation.record(session.name, () => {
        const written = [...transaction.versions].map(([key, version]) => `${key} = ${version}`)
        return `commits ${written.join(', ')}`
      })
    }
    for (const channel of transaction.notifies) this.notify(channel)
  }

  private recordChanges(transaction: Transaction, changes: readonly Change[]): void {
    const { outbox, live } = this.options.changeRecordsOf(changes)
    const dueAt = this.now + transaction.relayDelayMs
    for (const { namespace, entry, list } of outbox) {
      const row = { id: this.nextOutboxId++, namespace, entry, list, transaction, dueAt, writtenAt: this.now }
      this.outbox.push({ ...row, deliveredTo: [], claim: null })
    }
    for (const change of live)
      this.live.push({ ...change, id: this.nextLiveId++, transaction: String(transaction.xid), xid: transaction.xid })
    if (outbox.length > 0) transaction.notifies.add('cache_outbox')
    if (live.length > 0) transaction.notifies.add('live_changes')
  }

  private lock(
    transaction: Transaction,
    keys: readonly string[],
    done: () => void,
    fail: (error: Error) => void,
    until = this.now + statementTimeoutMs,
  ): void {
    if (transaction.state !== 'open') {
      fail(new PostgresError('25P02', 'current transaction is aborted'))
      return
    }
    for (const key of keys) {
      const holder = this.rowLocks.get(key)
      if (holder === transaction) continue
      if (holder) {
        this.waitFor(holder, () => this.lock(transaction, keys, done, fail, until), fail, until)
        return
      }
      this.rowLocks.set(key, transaction)
      transaction.lockedKeys.push(key)
    }
    done()
  }

  private waitFor(holder: Transaction, proceed: () => void, fail: (error: Error) => void, until: number): void {
    let timeout: ScheduledEvent | undefined
    const retry = () => {
      if (timeout) this.options.simulation.cancel(timeout)
      proceed()
    }
    holder.onEnd.push(retry)
    timeout = this.options.simulation.schedule(until - this.now, null, 'timer', () => {
      holder.onEnd.splice(holder.onEnd.indexOf(retry), 1)
      fail(new PostgresError('57014', 'canceling statement due to statement timeout'))
    })
  }

  private watchIdle(session: Session): void {
    const { transaction } = session
    this.options.simulation.schedule(idleInTransactionMs, null, 'timer', () => {
      const isIdle = session.idleSince !== null && this.now - session.idleSince >= idleInTransactionMs
      if (isIdle && session.transaction === transaction && transaction?.state === 'open') session.close()
    })
  }
}
