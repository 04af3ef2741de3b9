import type { Database, Queryable } from './connection.js'

/** A committed change, as the triggers of the migrations note it: an entry, a list, or (neither) a whole namespace is wrong now. */
export interface OutboxRow {
  id: number
  namespace: string
  entry: string | null
  list: string | null
  /** On this process's monotonic clock, in milliseconds */
  writtenAt: number
}

/** The rows that this transaction has written. */
export async function ownOutboxRows(transaction: Queryable): Promise<OutboxRow[]> {
  const rows = await transaction<AgedRow[]>`
    select id, namespace, entry, list, ${ageOf(transaction)} from cache_outbox where transaction_id = pg_current_xact_id() order by id`
  return rows.map(withTime)
}

export async function deleteOutboxRows(database: Queryable, rows: readonly OutboxRow[]): Promise<void> {
  await database`delete from cache_outbox where id = any(${rows.map((row) => row.id)}::bigint[])`
}

/**
 * Gives the oldest rows that are due (or not above `upTo`) to `deliver`, and deletes them if it answers true. Rows in the hands of another process are passed
 * over, as are namespaces that this version of the program does not know. Answers how many rows went.
 */
export async function takeOutboxRows(
  database: Database,
  { namespaces, limit, upTo }: { namespaces: readonly string[]; limit: number; upTo: number },
  deliver: (rows: readonly OutboxRow[]) => Promise<boolean>,
): Promise<number> {
  return database.begin(async (transaction) => {
    const rows = await transaction<AgedRow[]>`
      select id, namespace, entry, list, ${ageOf(transaction)} from cache_outbox where (due_at <= clock_timestamp() or id <= ${upTo})
        and namespace = any(${namespaces as string[]})
      order by id limit ${limit} for update skip locked`
    const changes = rows.map(withTime)
    if (changes.length === 0 || !(await deliver(changes))) return 0
    await deleteOutboxRows(transaction, changes)
    return changes.length
  })
}

export async function lastOutboxRow(database: Queryable): Promise<number> {
  const [row] = await database<[{ id: number }]>`select coalesce(max(id), 0) as id from cache_outbox`
  return row.id
}

export async function hasOutboxRows(database: Queryable, namespaces: readonly string[], upTo: number): Promise<boolean> {
  const rows = await database`
    select 1 from cache_outbox where id <= ${upTo} and namespace = any(${namespaces as string[]}) limit 1`
  return rows.length > 0
}

/** Calls back at every commit that wrote to the outbox, and whenever the connection that listens was made anew. */
export async function listenToOutbox(database: Database, wake: () => void): Promise<{ stop: () => Promise<void> }> {
  const { unlisten } = await database.listen('cache_outbox', wake, wake)
  return { stop: unlisten }
}

type AgedRow = Omit<OutboxRow, 'writtenAt'> & { ageMs: number }

/** The clocks of the two hosts may differ; an age does not. */
function ageOf(sql: Queryable) {
  return sql`1000 * extract(epoch from clock_timestamp() - written_at)::float8 as "ageMs"`
}

function withTime({ ageMs, ...row }: AgedRow): OutboxRow {
  return { ...row, writtenAt: performance.now() - ageMs }
}
