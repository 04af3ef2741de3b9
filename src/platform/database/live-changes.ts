import type { Database, Queryable } from './connection.js'

/** What one statement changed, as the triggers of the migrations note it. */
export interface LiveChange {
  kind: string
  transaction: string
  /** Grows within a transaction */
  id: number
  /** Numbers of the rows that are other, new or gone, or of those made for an owner; null for any of them, or more than are listed */
  ids: number[] | null
  /** Of the owners for whom they were made, in the same order; null where rows changed */
  owners: number[] | null
}

/** Up to where changes have been read: the transactions that had committed, and when that was on the clock of the database */
export interface Position {
  snapshot: string
  atMs: number
}

/** The last change that was read */
export type Place = Pick<LiveChange, 'transaction' | 'id'>

export interface Reading {
  /** Now */
  position: Position
  /** In the order of transactions and of ids */
  changes: LiveChange[]
  /** Whether this is a server that does not know all that the last one did */
  isBehind: boolean
}

/**
 * What was committed since, and before `until` (null: now), each change once, in whatever order transactions end: a snapshot knows which
 * have. Numbers of rows would not do, since a smaller one may be committed after a larger one. At most `limit` changes, those behind `after`.
 */
export async function readLiveChanges(
  database: Queryable,
  { since, until, after, limit }: { since: string; until: string | null; after: Place | null; limit: number },
): Promise<Reading> {
  const { transaction, id } = after ?? { transaction: '0', id: 0 }
  // What was restored from another server has numbers that this one has not reached: such rows are in no snapshot, and are not told.
  const [row] = await database<[{ changes: LiveChange[]; snapshot: string; at_ms: number; is_behind: boolean }]>`
    select pg_current_snapshot()::text as snapshot, (extract(epoch from clock_timestamp()) * 1000)::bigint as at_ms,
      pg_snapshot_xmax(pg_current_snapshot()) < pg_snapshot_xmax(${since}::pg_snapshot) as is_behind,
      coalesce((
        select json_agg(json_build_object('kind', kind, 'transaction', transaction_id::text, 'id', id, 'ids', ids, 'owners', owners))
        from (
          select * from live_changes
          where transaction_id >= pg_snapshot_xmin(${since}::pg_snapshot)
            and (transaction_id, id) > (${transaction}::xid8, ${id}::bigint)
            and not pg_visible_in_snapshot(transaction_id, ${since}::pg_snapshot)
            and pg_visible_in_snapshot(transaction_id, coalesce(${until}::pg_snapshot, pg_current_snapshot()))
          order by transaction_id, id limit ${limit}
        ) changes), '[]') as changes`
  return { position: { snapshot: row.snapshot, atMs: row.at_ms }, changes: row.changes, isBehind: row.is_behind }
}

/** From where to read on, for who has read nothing yet. */
export async function currentPosition(database: Queryable): Promise<Position> {
  const [row] = await database<[Position]>`
    select pg_current_snapshot()::text as snapshot, (extract(epoch from clock_timestamp()) * 1000)::bigint as "atMs"`
  return row
}

/** Those that were committed at that time, and those that were restored from another server */
export async function deleteLiveChanges(database: Queryable, upTo: string): Promise<void> {
  await database`
    delete from live_changes
    where (transaction_id < pg_snapshot_xmax(${upTo}::pg_snapshot) and pg_visible_in_snapshot(transaction_id, ${upTo}::pg_snapshot))
      or transaction_id >= pg_snapshot_xmax(pg_current_snapshot())`
}

/** Calls back at every commit that wrote a change, and whenever the connection that listens was made anew. */
export async function listenToLiveChanges(database: Database, wake: () => void): Promise<void> {
  await database.listen('live_changes', wake, wake)
}
