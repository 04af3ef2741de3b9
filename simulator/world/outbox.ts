import type * as real from '../../packages/cached-resolvers/src/postgres/outbox.js'
import type { SimulatedDatabase, SimulatedTransaction } from './database.js'
import type { PostgresServer, Session, StoredOutboxRow } from './postgres-server.js'
import { simulation } from './simulation.js'
import { parseSnapshot } from './snapshots.js'

/**
 * Replaces packages/cached-resolvers/src/postgres/outbox.ts, statement by statement. The same contract tests run against both.
 */

export const ownOutboxRows: typeof real.ownOutboxRows = async (transaction) => {
  const rows = await run(transaction, (server, session) =>
    server
      .outboxRows(session.transaction)
      .filter((row) => row.transaction === session.transaction)
      .map((row) => agedRow(row, server.now)),
  )
  return rows.map(withTime)
}

export const claimOutboxRows: typeof real.claimOutboxRows = async (
  database,
  { registration, namespaces, after, limit, claimMs },
) => {
  const rows = await run(database, (server) => {
    const isFree = ({ claim }: StoredOutboxRow) => claim?.by !== registration || claim.until <= server.now
    const claimed = server
      .outboxRows(null)
      .filter((row) => row.id > after && row.dueAt <= server.now && isPending(row, registration, namespaces) && isFree(row))
      .sort((a, b) => b.id - a.id)
      .slice(0, limit)
    for (const row of claimed) row.claim = { by: registration, until: server.now + claimMs }
    return claimed.map((row) => agedRow(row, server.now))
  })
  return rows.map(withTime)
}

export const confirmOutboxRows: typeof real.confirmOutboxRows = async (database, registration, rows) => {
  const deleted = await deleteIfOthersConfirmed(database, registration, rows)
  const pending = rows.filter(({ id }) => !deleted.has(id))
  if (pending.length === 0) return []
  await run(database, (server) => {
    for (const row of find(server, pending)) {
      if (row.deliveredTo.includes(registration)) continue
      row.deliveredTo = [...row.deliveredTo, registration]
      row.dueAt = Math.min(row.dueAt, server.now)
    }
  })
  const deletedSince = await deleteIfOthersConfirmed(database, registration, pending)
  await wakeOutboxListeners(database)
  return pending.filter(({ id }) => !deletedSince.has(id))
}

export const makeOutboxRowsDue: typeof real.makeOutboxRowsDue = async (database, rows) => {
  await run(database, (server) => {
    for (const row of find(server, rows)) {
      row.dueAt = Math.min(row.dueAt, server.now)
      if (row.claim) row.claim.until = Math.min(row.claim.until, server.now)
    }
  })
  await wakeOutboxListeners(database)
}

export const unconfirmedOutboxRows: typeof real.unconfirmedOutboxRows = async (database, rows, inUseMs) => {
  const pending = await run(database, (server) => {
    return new Set(
      find(server, rows)
        .filter((row) => isPendingInUse(server, row, inUseMs))
        .map(({ id }) => id),
    )
  })
  return rows.filter(({ id }) => pending.has(id))
}

export const deleteConfirmedOutboxRows: typeof real.deleteConfirmedOutboxRows = async (database, limit) => {
  await run(database, (server) => {
    const confirmed = server
      .outboxRows(null)
      .filter((row) => row.dueAt <= server.now && server.pendingStores(row.namespace, row.deliveredTo).length === 0)
    server.deleteOutboxRows(new Set(confirmed.slice(0, limit).map(({ id }) => id)))
  })
}

export const readOutbox: typeof real.readOutbox = async (database, { registration, namespaces, maxRowsPerNamespace }) => {
  const { changes, ...content } = await run(database, (server) => {
    const pending = server.outboxRows(null).filter((row) => isPending(row, registration, namespaces))
    const changes = new Map<string, Aged<real.OutboxChange>>()
    for (const row of pending) {
      const isWhole = pending.filter(({ namespace }) => namespace === row.namespace).length > maxRowsPerNamespace
      const { id: _, ...change } = agedRow(isWhole ? { ...row, entry: null, list: null } : row, server.now)
      const name = JSON.stringify([change.namespace, change.entry, change.list])
      changes.set(name, { ...change, ageMs: Math.max(change.ageMs, changes.get(name)?.ageMs ?? 0) })
    }
    const lastId = Math.max(0, ...pending.map(({ id }) => id))
    return { changes: [...changes.values()], snapshot: pending.length > 0 ? server.snapshot() : '', lastId }
  })
  return { ...content, changes: changes.map(withTime) }
}

export const confirmOutboxSnapshot: typeof real.confirmOutboxSnapshot = (
  database,
  { registration, namespaces, snapshot, limit },
) => {
  const { isVisible } = parseSnapshot(snapshot)
  return run(database, (server) => {
    const confirmed = server
      .outboxRows(null)
      .filter((row) => isPending(row, registration, namespaces) && isVisible(row.transaction.xid))
      .slice(0, limit)
    for (const row of confirmed) row.deliveredTo = [...row.deliveredTo, registration]
    const deleted = confirmed.filter((row) => server.pendingStores(row.namespace, row.deliveredTo).length === 0)
    server.deleteOutboxRows(new Set(deleted.map(({ id }) => id)))
    return confirmed.length
  })
}

export const oldestOutboxRowWrittenAt: typeof real.oldestOutboxRowWrittenAt = async (database, namespaces) => {
  const row = await run(database, (server) => {
    const oldest = server.outboxRows(null).find(({ namespace }) => namespaces.includes(namespace))
    return oldest && agedRow(oldest, server.now)
  })
  return row && withTime(row).writtenAt
}

export const listenToOutbox: typeof real.listenToOutbox = async (database, wake) => {
  const { unlisten } = await (database as unknown as SimulatedDatabase).listen('cache_outbox', wake, wake)
  return { stop: unlisten }
}

/** Whether a store that was reported in use within the last `inUseMs` has not confirmed the row */
export function isPendingInUse(server: PostgresServer, { namespace, deliveredTo }: StoredOutboxRow, inUseMs: number): boolean {
  return server.pendingStores(namespace, deliveredTo).some(({ inUseAt }) => inUseAt !== null && inUseAt > server.now - inUseMs)
}

async function deleteIfOthersConfirmed(
  database: unknown,
  registration: string,
  rows: readonly real.OutboxRow[],
): Promise<ReadonlySet<number>> {
  return run(database, (server) => {
    const confirmed = find(server, rows).filter(
      ({ namespace, deliveredTo }) => server.pendingStores(namespace, [...deliveredTo, registration]).length === 0,
    )
    const deleted = new Set(confirmed.map(({ id }) => id))
    server.deleteOutboxRows(deleted)
    return deleted
  })
}

function wakeOutboxListeners(database: unknown): Promise<void> {
  return run(database, (server) => server.notify('cache_outbox'))
}

function find(server: PostgresServer, rows: readonly real.OutboxRow[]): StoredOutboxRow[] {
  const ids = new Set(rows.map(({ id }) => id))
  return server.outboxRows(null).filter(({ id }) => ids.has(id))
}

function isPending({ namespace, deliveredTo }: StoredOutboxRow, registration: string, namespaces: readonly string[]): boolean {
  return namespaces.includes(namespace) && !deliveredTo.includes(registration)
}

type Aged<Change extends { writtenAt: number }> = Omit<Change, 'writtenAt'> & { ageMs: number }

function agedRow({ id, namespace, entry, list, writtenAt }: StoredOutboxRow, now: number): Aged<real.OutboxRow> {
  return { id, namespace, entry, list, ageMs: now - writtenAt }
}

function withTime<Row extends { ageMs: number }>({ ageMs, ...row }: Row): Omit<Row, 'ageMs'> & { writtenAt: number } {
  return { ...row, writtenAt: simulation().now - ageMs }
}

function run<T>(queryable: unknown, work: (server: PostgresServer, session: Session) => T): Promise<T> {
  const database = queryable as SimulatedTransaction | SimulatedDatabase
  return database.run<T>((server, session, reply) => reply(work(server, session)))
}
