import type { Database, Queryable } from './connection.js'

/** What one statement changed, as the triggers of the migrations note it. */
export interface LiveChange {
  kind: 'product' | 'order'
  transaction: string
  /** Numbers of the products that are other, new or gone, or of the orders made; null for all */
  ids: number[] | null
  /** The users whose orders these are, in the same order */
  owners: number[] | null
}

/** Up to where changes have been read: the transactions that had committed, and when that was on the clock of the database */
export interface Position {
  snapshot: string
  atMs: number
}

export interface Reading {
  position: Position
  changes: LiveChange[]
  /** Whether this is a server that does not know all that the last one did */
  isBehind: boolean
}

/**
 * What was committed since, each change once, in whatever order transactions end: a snapshot knows which have. Numbers of rows would
 * not do, since a smaller one may be committed after a larger one.
 */
export async function readLiveChanges(database: Queryable, since: string): Promise<Reading> {
  const [row] = await database<[{ changes: LiveChange[]; snapshot: string; at_ms: number; is_behind: boolean }]>`
    select pg_current_snapshot()::text as snapshot, (extract(epoch from clock_timestamp()) * 1000)::bigint as at_ms,
      pg_snapshot_xmax(pg_current_snapshot()) < pg_snapshot_xmax(${since}::pg_snapshot) as is_behind,
      coalesce((
        select json_agg(json_build_object('kind', kind, 'transaction', transaction_id::text, 'ids', ids, 'owners', owners))
        from live_changes
        where transaction_id >= pg_snapshot_xmin(${since}::pg_snapshot)
          and not pg_visible_in_snapshot(transaction_id, ${since}::pg_snapshot)), '[]') as changes`
  return { position: { snapshot: row.snapshot, atMs: row.at_ms }, changes: row.changes, isBehind: row.is_behind }
}

/** From where to read on, for who has read nothing yet. */
export async function currentPosition(database: Queryable): Promise<Position> {
  const [row] = await database<[Position]>`
    select pg_current_snapshot()::text as snapshot, (extract(epoch from clock_timestamp()) * 1000)::bigint as "atMs"`
  return row
}

/** Those that were committed at that time */
export async function deleteLiveChanges(database: Queryable, upTo: string): Promise<void> {
  await database`
    delete from live_changes
    where transaction_id < pg_snapshot_xmax(${upTo}::pg_snapshot) and pg_visible_in_snapshot(transaction_id, ${upTo}::pg_snapshot)`
}

/** Calls back at every commit that wrote a change, and whenever the connection that listens was made anew. */
export async function listenToLiveChanges(database: Database, wake: () => void): Promise<void> {
  await database.listen('live_changes', wake, wake)
}
