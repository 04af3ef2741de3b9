import type { Database, Queryable } from './connection.js'

/** The changes of one statement, as the migrations' triggers record them */
export interface LiveChange {
  kind: string
  transaction: string
  /** Increases within a transaction */
  id: number
  /**
   * Ids of the rows that the statement updated, inserted or deleted; for a kind with owners, only inserted rows. Null if the
   * statement changed too many rows to list, or may have changed any row (TRUNCATE).
   */
  ids: number[] | null
  /**
   * For a kind with owners, such as the users of orders: the owner's row id for each of `ids`, in the same order. Otherwise null.
   */
  owners: number[] | null
}

/** Position up to which changes have been read: the snapshot of committed transactions, and its time by the database clock */
export interface Position {
  snapshot: string
  atMs: number
}

/** The last change read */
export type ChangeCursor = Pick<LiveChange, 'transaction' | 'id'>

export interface LiveChangeBatch {
  /** The position at the time of the read */
  position: Position
  /** Ordered by transaction, then id */
  changes: LiveChange[]
  /** Whether transactions that `since` includes are missing from this server, as after a failover or a restore */
  hasLostTransactions: boolean
}

/**
 * Reads the changes committed after the snapshot `since` and before the snapshot `until` (null: now). Each change is returned
 * once, whatever the commit order, because a snapshot lists the committed transactions. Row ids would not work, because a smaller
 * one may be committed after a larger one. Returns at most `limit` changes, starting after the cursor `after`.
 */
export async function readLiveChanges(
  database: Queryable,
  { since, until, after, limit }: { since: string; until: string | null; after: ChangeCursor | null; limit: number },
): Promise<LiveChangeBatch> {
  const { transaction, id } = after ?? { transaction: '0', id: 0 }
  // Rows restored from another server may have transaction ids that this server has not reached. No snapshot includes them, so
  // they are skipped.
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
  return { position: { snapshot: row.snapshot, atMs: row.at_ms }, changes: row.changes, hasLostTransactions: row.is_behind }
}

/** Returns the position from which a new reader starts. */
export async function currentPosition(database: Queryable): Promise<Position> {
  const [row] = await database<[Position]>`
    select pg_current_snapshot()::text as snapshot, (extract(epoch from clock_timestamp()) * 1000)::bigint as "atMs"`
  return row
}

/** Deletes the changes committed before the snapshot `upTo`, and those restored from another server. */
export async function deleteLiveChanges(database: Queryable, upTo: string): Promise<void> {
  await database`
    delete from live_changes
    where (transaction_id < pg_snapshot_xmax(${upTo}::pg_snapshot) and pg_visible_in_snapshot(transaction_id, ${upTo}::pg_snapshot))
      or transaction_id >= pg_snapshot_xmax(pg_current_snapshot())`
}

/** Calls `wake` at every commit that wrote a change, and whenever the listening connection was established or replaced. */
export async function listenToLiveChanges(database: Database, wake: () => void): Promise<void> {
  await database.listen('live_changes', wake, wake)
}
