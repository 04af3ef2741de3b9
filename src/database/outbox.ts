import type { Database, Queryable } from './connection.js'

/** What a committed change makes wrong, as the triggers of the migrations note it: an entry, a list, or (neither) a whole namespace. */
export interface OutboxChange {
  namespace: string
  entry: string | null
  list: string | null
  /** On this process's monotonic clock, in milliseconds */
  writtenAt: number
}

export interface OutboxRow extends OutboxChange {
  id: number
}

/** The rows that this transaction has written. */
export async function ownOutboxRows(transaction: Queryable): Promise<OutboxRow[]> {
  const rows = await transaction<Aged<OutboxRow>[]>`
    select id, namespace, entry, list, ${ageOf(transaction)} from cache_outbox where transaction_id = pg_current_xact_id() order by id`
  return rows.map(withTime)
}

/**
 * Takes rows that are due, of those behind the row `after` the newest first, and asks other processes to leave them alone for `claimMs`. The
 * claim is committed before this returns, so a process that stops right after it holds no lock and delays these rows by that time.
 * Namespaces that this version of the program does not know are left alone.
 */
export async function claimOutboxRows(
  database: Queryable,
  { namespaces, after, limit, claimMs }: { namespaces: readonly string[]; after: number; limit: number; claimMs: number },
): Promise<OutboxRow[]> {
  // due_at carries the claim: processes of the version before this one respect it, too. The planner takes "= any" for rare, and would sort
  // a whole backlog.
  const rows = await database<Aged<OutboxRow>[]>`
    update cache_outbox set due_at = clock_timestamp() + ${claimMs} * interval '1 millisecond'
    where id = any(array(
      select id from cache_outbox
      where id > ${after} and due_at <= clock_timestamp() and array_position(${namespaces as string[]}::text[], namespace) is not null
      order by id desc limit ${limit} for update skip locked))
    returning id, namespace, entry, list, ${ageOf(database)}`
  return rows.map(withTime)
}

export async function deleteOutboxRows(database: Queryable, rows: readonly OutboxRow[]): Promise<void> {
  await database`delete from cache_outbox where id = any(${rows.map((row) => row.id)}::bigint[])`
}

export interface OutboxContent {
  /** Each entry and list once. A namespace with more than `maxRows` rows is one change, of the whole namespace. */
  changes: OutboxChange[]
  /** The transactions whose rows these are */
  snapshot: string
  lastId: number
}

/** All that is committed now, due or not, claimed or not. */
export async function readOutbox(
  database: Queryable,
  { namespaces, maxRows }: { namespaces: readonly string[]; maxRows: number },
): Promise<OutboxContent> {
  const rows = await database<(Aged<OutboxChange> & { snapshot: string; lastId: number })[]>`
    with counted as materialized (
      select namespace, count(*) as rows, min(written_at) as written_at, max(id) as last_id
      from cache_outbox where namespace = any(${namespaces as string[]}) group by namespace
    ), changes as (
      select namespace, null as entry, null as list, written_at from counted where rows > ${maxRows}
      union all
      select namespace, entry, list, min(written_at) from cache_outbox
      where namespace in (select namespace from counted where rows <= ${maxRows}) group by namespace, entry, list
    )
    select namespace, entry, list, ${ageOf(database)}, pg_current_snapshot()::text as snapshot,
      (select max(last_id) from counted) as "lastId"
    from changes`
  const [first] = rows
  return {
    changes: rows.map(({ snapshot: _, lastId: __, ...change }) => withTime(change)),
    ...{ snapshot: first?.snapshot ?? '', lastId: first?.lastId ?? 0 },
  }
}

/** Deletes at most `limit` of the rows that were committed in this snapshot, and answers how many. Waits for no lock: locked rows stay. */
export async function deleteOutboxRowsIn(
  database: Queryable,
  { namespaces, snapshot, limit }: { namespaces: readonly string[]; snapshot: string; limit: number },
): Promise<number> {
  // A visible row of a transaction to come was restored from another server, whose numbers say nothing here.
  const { count } = await database`
    delete from cache_outbox where id = any(array(
      select id from cache_outbox
      where namespace = any(${namespaces as string[]})
        and (pg_visible_in_snapshot(transaction_id, ${snapshot}::pg_snapshot)
          or transaction_id >= pg_snapshot_xmax(pg_current_snapshot()))
      limit ${limit} for update skip locked))`
  return count
}

/** When the oldest row was written; undefined where there is none. */
export async function oldestOutboxRow(database: Queryable, namespaces: readonly string[]): Promise<number | undefined> {
  const rows = await database<{ ageMs: number }[]>`
    select ${ageOf(database)} from cache_outbox
    where array_position(${namespaces as string[]}::text[], namespace) is not null order by id limit 1`
  return rows[0] && withTime(rows[0]).writtenAt
}

/** Calls back at every commit that wrote to the outbox, and whenever the connection that listens was made anew. */
export async function listenToOutbox(database: Database, wake: () => void): Promise<{ stop: () => Promise<void> }> {
  const { unlisten } = await database.listen('cache_outbox', wake, wake)
  return { stop: unlisten }
}

type Aged<Change extends { writtenAt: number }> = Omit<Change, 'writtenAt'> & { ageMs: number }

/** The clocks of the two hosts may differ; an age does not. */
function ageOf(sql: Queryable) {
  return sql`1000 * extract(epoch from clock_timestamp() - written_at)::float8 as "ageMs"`
}

function withTime<Row extends { ageMs: number }>({ ageMs, ...row }: Row): Omit<Row, 'ageMs'> & { writtenAt: number } {
  return { ...row, writtenAt: performance.now() - ageMs }
}
