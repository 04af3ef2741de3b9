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
 * Takes rows that are due, the newest first, and asks other processes to leave them alone for `claimMs`. The claim is committed before
 * this returns, so a process that stops right after it holds no lock and delays these rows by that time. Namespaces that this version
 * of the program does not know are left alone.
 */
export async function claimOutboxRows(
  database: Queryable,
  { namespaces, limit, claimMs }: { namespaces: readonly string[]; limit: number; claimMs: number },
): Promise<OutboxRow[]> {
  // due_at carries the claim: processes of the version before this one respect it, too.
  const rows = await database<Aged<OutboxRow>[]>`
    update cache_outbox set due_at = clock_timestamp() + ${claimMs} * interval '1 millisecond'
    where id = any(array(
      select id from cache_outbox where due_at <= clock_timestamp() and namespace = any(${namespaces as string[]})
      order by id desc limit ${limit} for update skip locked))
    returning id, namespace, entry, list, ${ageOf(database)}`
  return rows.map(withTime)
}

export async function deleteOutboxRows(database: Queryable, rows: readonly OutboxRow[]): Promise<void> {
  await database`delete from cache_outbox where id = any(${rows.map((row) => row.id)}::bigint[])`
}

export interface OutboxContent {
  /** Each entry and list once. A namespace with more than `maxKeys` of them is one change, of the whole namespace. */
  changes: OutboxChange[]
  /** The transactions whose rows these are */
  snapshot: string
}

/** All that is committed now, due or not, claimed or not. */
export async function readOutbox(
  database: Queryable,
  { namespaces, maxKeys }: { namespaces: readonly string[]; maxKeys: number },
): Promise<OutboxContent> {
  const rows = await database<(Aged<OutboxChange> & { snapshot: string })[]>`
    with changes as (
      select namespace, entry, list, min(written_at) as written_at, count(*) over (partition by namespace) as keys
      from cache_outbox where namespace = any(${namespaces as string[]}) group by namespace, entry, list
    ), folded as (
      select namespace, entry, list, written_at from changes where keys <= ${maxKeys}
      union all
      select namespace, null, null, min(written_at) from changes where keys > ${maxKeys} group by namespace
    )
    select namespace, entry, list, ${ageOf(database)}, pg_current_snapshot()::text as snapshot from folded`
  return { changes: rows.map(({ snapshot: _, ...change }) => withTime(change)), snapshot: rows[0]?.snapshot ?? '' }
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
    select ${ageOf(database)} from cache_outbox where namespace = any(${namespaces as string[]}) order by id limit 1`
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
