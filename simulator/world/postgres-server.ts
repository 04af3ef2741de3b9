import type { OutboxRow } from '../../packages/cached-resolvers/src/postgres/outbox.js'
import type { LiveChange } from '../../src/platform/database/live-changes.js'
import type { Connection, Server, ServerEnd } from './network.js'
import { PostgresError } from './postgres-errors.js'
import type { ScheduledEvent, Simulation } from './simulation.js'

/** What a row of a table is: a register with a version. Each that is written is another one; it is negative where the row was deleted. */
export type Version = number

export interface Change {
  key: string
  /** Whether the row is there afterwards */
  exists: boolean
}

/** How a change is noted, as the triggers of the migrations do it */
export interface Notes {
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

/** A row of cache_stores, which stands under its name */
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
  /** Those that wait for it to end */
  readonly ended: (() => void)[] = []

  constructor(readonly xid: number) {}
}

/** A connection to the server, with the transaction that is open on it */
export interface Session {
  readonly name: string
  transaction: Transaction | null
  /** Since when it waits for the next statement; null while one is running */
  idleSince: number | null
  notify: ((channel: string) => void) | null
  readonly listening: Set<string>
  isOpen: boolean
  close: () => void
}

/** A statement, run when it arrives. It calls one of the two, now or later. */
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
  /** What the triggers note of changes in one statement */
  notesOf: (changes: readonly Change[]) => Notes
  onCommitted: (versions: ReadonlyMap<string, Version>) => void
}

const statementTimeoutMs = 5_000
const idleInTransactionMs = 10_000

/** One Postgres server, at read committed: rows with locks, outbox and live changes, notifications, transactions in any order. */
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
        const answer = (message: PostgresMessage) => {
          session.idleSince = this.now
          if (session.transaction) this.watchIdle(session)
          connection.reply(message)
        }
        ;(statement as Statement)(
          this,
          session,
          (result) => answer({ kind: 'result', result }),
          (error) => answer({ kind: 'error', error }),
        )
      },
      closed: () => {
        session.isOpen = false
        this.sessions.delete(session)
        if (session.transaction) this.end(session, 'rolled back')
      },
    }
  }

  /** Somebody at the server itself, as psql is */
  localSession(name: string): Session {
    const none = () => undefined
    return { name, transaction: null, idleSince: null, notify: null, listening: new Set(), isOpen: true, close: none }
  }

  /** Rows that are there from the beginning */
  seed(keys: readonly string[]): void {
    for (const key of keys) {
      this.rows.set(key, 1)
      this.lastVersions.set(key, 1)
    }
    this.options.onCommitted(this.rows)
  }

  /** null where there is no such row */
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

  /** One statement that writes these rows, in this order; waits for whoever holds one of them. */
  write(session: Session, changes: readonly Change[], done: () => void, fail: (error: Error) => void): void {
    const { transaction } = session
    if (!transaction) throw new Error('Rows are written in a transaction')
    this.lock(
      transaction,
      changes.map(({ key }) => key),
      () => {
        for (const { key, exists } of changes) {
          const version = (this.lastVersions.get(key) ?? 0) + 1
          this.lastVersions.set(key, version)
          transaction.versions.set(key, exists ? version : -version)
        }
        this.note(transaction, changes)
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
    for (const goOn of transaction.ended.splice(0)) goOn()
  }

  /** Committed, not deleted; of this transaction also what it has written itself */
  outboxRows(reader: Transaction | null): StoredOutboxRow[] {
    return this.outbox.filter(({ transaction }) => transaction.state === 'committed' || transaction === reader)
  }

  deleteOutboxRows(ids: ReadonlySet<number>): void {
    this.outbox = this.outbox.filter(({ id }) => !ids.has(id))
  }

  /** The stores that are still owed a change */
  owedStores(namespace: string, deliveredTo: readonly string[]): StoredCacheStore[] {
    return [...this.cacheStores.values()].filter(
      ({ registration, namespaces }) => namespaces.includes(namespace) && !deliveredTo.includes(registration),
    )
  }

  register(name: string, namespaces: readonly string[]): string {
    const registration = String(this.nextRegistration++)
    this.cacheStores.set(name, { registration, namespaces, registeredAt: this.now, inUseAt: null })
    this.options.simulation.tell(this.name, () => `registers ${name.split('@')[1]} as ${registration}`)
    return registration
  }

  unregister(name: string): void {
    this.options.simulation.tell(this.name, () => `registers ${name.split('@')[1]} no more`)
    this.cacheStores.delete(name)
  }

  notify(channel: string): void {
    for (const listener of this.sessions) if (listener.listening.has(channel)) listener.notify?.(channel)
  }

  /** Whether a transaction that wrote rows is open */
  get isWriting(): boolean {
    return this.rowLocks.size > 0
  }

  /** As pg_current_snapshot() */
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
      this.options.simulation.tell(session.name, () => {
        const written = [...transaction.versions].map(([key, version]) => `${key} = ${version}`)
        return `commits ${written.join(', ')}`
      })
    }
    for (const channel of transaction.notifies) this.notify(channel)
  }

  private note(transaction: Transaction, changes: readonly Change[]): void {
    const { outbox, live } = this.options.notesOf(changes)
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

  private waitFor(holder: Transaction, goOn: () => void, fail: (error: Error) => void, until: number): void {
    let late: ScheduledEvent | undefined
    const ended = () => {
      if (late) this.options.simulation.cancel(late)
      goOn()
    }
    holder.ended.push(ended)
    late = this.options.simulation.schedule(until - this.now, null, 'timer', () => {
      holder.ended.splice(holder.ended.indexOf(ended), 1)
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
