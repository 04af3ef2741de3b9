import type * as real from '../../src/database/outbox.js'
import type { SimulatedDatabase, SimulatedTransaction } from './database.js'
import type { Statement, StoredOutboxRow } from './postgres-server.js'
import { simulation } from './simulation.js'

/** In the place of src/database/outbox.ts; the same contract is run against both. */

type OutboxRow = real.OutboxRow

export const ownOutboxRows: typeof real.ownOutboxRows = async (transaction) => {
  const rows = await run<AgedRow[]>(transaction, (server, session, reply) => {
    const own = server.outboxRows(session.transaction).filter((row) => row.transaction === session.transaction)
    reply(own.map((row) => aged(row, server.now)))
  })
  return rows.map(withTime)
}

export const deleteOutboxRows: typeof real.deleteOutboxRows = async (database, rows) => {
  const ids = new Set(rows.map(({ id }) => id))
  await run(database, (server, session, reply, fail) => server.deleteOutboxRows(session, ids, () => reply(undefined), fail))
}

export const takeOutboxRows: typeof real.takeOutboxRows = (database, { namespaces, limit, upTo }, deliver) => {
  return pool(database).begin(async (transaction) => {
    const rows = await transaction.run<AgedRow[]>((server, session, reply) => {
      const its = session.transaction
      const taken = server
        .outboxRows(its)
        .filter(({ id, dueAt, lockedBy, namespace }) => {
          return lockedBy === null && (dueAt <= server.now || id <= upTo) && namespaces.includes(namespace)
        })
        .slice(0, limit)
      for (const row of taken) if (its) server.lockOutboxRow(its, row)
      reply(taken.map((row) => aged(row, server.now)))
    })
    const changes = rows.map(withTime)
    if (changes.length === 0 || !(await deliver(changes))) return 0
    await deleteOutboxRows(transaction as never, changes)
    return changes.length
  })
}

export const lastOutboxRow: typeof real.lastOutboxRow = (database) => {
  return run(database, (server, session, reply) => reply(server.outboxRows(session.transaction).at(-1)?.id ?? 0))
}

export const hasOutboxRows: typeof real.hasOutboxRows = (database, namespaces, upTo) => {
  return run(database, (server, session, reply) =>
    reply(server.outboxRows(session.transaction).some(({ id, namespace }) => id <= upTo && namespaces.includes(namespace))),
  )
}

export const listenToOutbox: typeof real.listenToOutbox = async (database, wake) => {
  const { unlisten } = await pool(database).listen('cache_outbox', wake, wake)
  return { stop: unlisten }
}

type AgedRow = Omit<OutboxRow, 'writtenAt'> & { ageMs: number }

function aged({ id, namespace, entry, list, writtenAt }: StoredOutboxRow, now: number): AgedRow {
  return { id, namespace, entry, list, ageMs: now - writtenAt }
}

function withTime({ ageMs, ...row }: AgedRow): OutboxRow {
  return { ...row, writtenAt: simulation().now - ageMs }
}

function run<T>(queryable: unknown, statement: Statement): Promise<T> {
  return (queryable as SimulatedTransaction | SimulatedDatabase).run<T>(statement)
}

function pool(database: unknown): SimulatedDatabase {
  return database as SimulatedDatabase
}
