import type { Database, Queryable } from './connection.js'

/** The changes of one statement, as the migrations' triggers record them */
export interface LiveChange {
  kind: string
  transaction: string
  /** Increases within a transaction */
  id: number
  /** Row ids that were updated, inserted or deleted, or inserted for an owner. Null if any row may have changed or there are too many to list. */
  ids: number[] | null
  /** Owner of each inserted row, in the same order; null for a change of the rows themselves */
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
  /** The position after this batch */
  position: Position
  /** Ordered by transaction, then id */
  changes: LiveChange[]
  /** Whether this server lacks transactions of the previous one, as after a failover or a restore */
  isBehind: boolean
}

/**
 * Reads the changes committed after the snapshot `since` and before the snapshot `until` (null: now). Each change is returned once,
 * whatever the commit order, because a snapshot lists the committed transactions. Row ids would not work: a smaller one may be committed
 * after a larger one. Returns at most `limit` changes, starting after the cursor `after`.
 */
export async function readLiveChanges(
  database: Queryable,
  { since, until, after, limit }: { since: string; until: string | null; after: ChangeCursor | null; limit: number },
): Promise<LiveChangeBatch> {
  const { transaction, id } = after ?? { transaction: '0', id: 0 }
  // Rows restored from another server may have transaction ids that this server has not reached. No snapshot includes them, so they are skipped.
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

/** The position to start reading from. */
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

/** Calls `wake` at every commit that wrote a change, and whenever the listening connection was re-established. */
export async function listenToLiveChanges(database: Database, wake: () => void): Promise<void> {
  await database.listen('live_changes', wake, wake)
}
