import type { Database, Queryable } from './database.js'

/** What a change invalidates, as recorded by the triggers: an entry, a list, or (both null) a whole namespace. */
export interface OutboxChange {
  namespace: string
  entry: string | null
  list: string | null
  /** When the row was written, in milliseconds by the monotonic clock of this process */
  writtenAt: number
}

/**
 * A row becomes due when relays may deliver it: at once, or after a delay in which the process that wrote it delivers it itself.
 * Each registered store confirms each row of its namespaces once it has applied the invalidation. The column `delivered_to`
 * contains the registrations of the stores that have confirmed the row, and cache_stores_owed() returns the stores that have not. A
 * row that every store has confirmed is deleted.
 */
export interface OutboxRow extends OutboxChange {
  id: number
}

/** Returns the outbox rows that this transaction has written. */
export async function ownOutboxRows(transaction: Queryable): Promise<OutboxRow[]> {
  const rows = await transaction<WithAge<OutboxRow>[]>`
    select id, namespace, entry, list, ${ageColumn(transaction)} from cache_outbox where transaction_id = pg_current_xact_id() order by id`
  return rows.map(withWrittenAt)
}

/** Selects the rows of these namespaces that the store with this registration has not confirmed. */
export interface OutboxSelection {
  /** Registration number of the store, as text (see cache-stores.ts) */
  registration: string
  /** The namespaces that this version of the program knows. Rows of other namespaces are ignored. */
  namespaces: readonly string[]
}

/**
 * Claims due rows that this store has not confirmed and whose ids are greater than `after`: the newest ones, at most `limit`.
 * Because the newest rows are claimed first, rows between `after` and the returned ones may remain, so the greatest returned id
 * must not be the next `after`. Returns the rows in no particular order. Other processes of the store skip claimed rows for
 * `claimMs`. If another store claims a row in the meantime, the first claim ends, so the row may be delivered twice, which is
 * harmless. `database` should not be a transaction. Outside of a transaction, the claim is committed before this function
 * returns, so a process that crashes afterwards leaves no locks behind and delays the rows by `claimMs` only.
 */
export async function claimOutboxRows(
  database: Queryable,
  { registration, namespaces, after, limit, claimMs }: OutboxSelection & { after: number; limit: number; claimMs: number },
): Promise<OutboxRow[]> {
  // The namespace is compared by array_position(). With `namespace = any(...)`, the planner would expect few matching rows, and
  // would sort the whole backlog instead of reading the rows in the order of their ids.
  const rows = await database<WithAge<OutboxRow>[]>`
    update cache_outbox set claimed_by = ${registration}, claimed_until = clock_timestamp() + ${claimMs} * interval '1 millisecond'
    where id = any(array(
      select id from cache_outbox
      where id > ${after} and due_at <= clock_timestamp() and array_position(${namespaces as string[]}::text[], namespace) is not null
        and not delivered_to @> array[${registration}::bigint]
        and (claimed_by is distinct from ${registration} or claimed_until <= clock_timestamp())
      order by id desc limit ${limit} for update skip locked))
    returning id, namespace, entry, list, ${ageColumn(database)}`
  return rows.map(withWrittenAt)
}

/**
 * Marks rows as confirmed by this store. Deletes the rows that every store has confirmed. Makes the remaining rows due for the
 * stores that have not confirmed them. Returns the remaining rows, possibly with some that another process has deleted in the
 * meantime.
 */
export async function confirmOutboxRows(
  database: Queryable,
  registration: string,
  rows: readonly OutboxRow[],
): Promise<OutboxRow[]> {
  const deleted = await deleteIfOthersConfirmed(database, registration, rows)
  const remaining = rows.filter(({ id }) => !deleted.has(id))
  if (remaining.length === 0) return []
  await database`
    update cache_outbox
    set delivered_to = array_append(delivered_to, ${registration}::bigint), due_at = least(due_at, clock_timestamp())
    where id = any(${idsOf(remaining)}::bigint[]) and not delivered_to @> array[${registration}::bigint]`
  // If two stores confirm a row at the same time, the first delete of each store does not see the confirmation of the other
  // store, so neither deletes the row. The updates run one after the other, so the store that updates last sees both
  // confirmations in this second delete.
  const deletedSince = await deleteIfOthersConfirmed(database, registration, remaining)
  await notifyOutboxListeners(database)
  return remaining.filter(({ id }) => !deletedSince.has(id))
}

/**
 * Makes rows due and ends their claims, so that any process may deliver them immediately. To be called after a store failed to
 * confirm the rows.
 */
export async function makeOutboxRowsDue(database: Queryable, rows: readonly OutboxRow[]): Promise<void> {
  await database`
    update cache_outbox set due_at = least(due_at, clock_timestamp()), claimed_until = least(claimed_until, clock_timestamp())
    where id = any(${idsOf(rows)}::bigint[])`
  await notifyOutboxListeners(database)
}

/** Returns the rows that at least one store, reported in use within the last `inUseMs`, has not confirmed. */
export async function unconfirmedOutboxRows(
  database: Queryable,
  rows: readonly OutboxRow[],
  inUseMs: number,
): Promise<OutboxRow[]> {
  const found = await database<{ id: number }[]>`
    select distinct o.id from cache_outbox o, cache_stores_owed(o.namespace, o.delivered_to) s
    where o.id = any(${idsOf(rows)}::bigint[]) and s.in_use_at > clock_timestamp() - ${inUseMs} * interval '1 millisecond'`
  const unconfirmed = new Set(found.map(({ id }) => id))
  return rows.filter(({ id }) => unconfirmed.has(id))
}

/**
 * Deletes at most `limit` due rows that every registered store has confirmed. Such rows are left over if, for example, the only
 * store whose confirmation was missing was unregistered: no call of confirmOutboxRows() deletes them then.
 */
export async function deleteConfirmedOutboxRows(database: Queryable, limit: number): Promise<void> {
  await database`
    delete from cache_outbox where id = any(array(
      select o.id from cache_outbox o
      where due_at <= clock_timestamp() and not exists (select 1 from cache_stores_owed(o.namespace, o.delivered_to))
      limit ${limit} for update skip locked))`
}

export interface OutboxSnapshot {
  /**
   * Contains each entry and each list once. For a namespace with more than `maxRowsPerNamespace` rows, contains a single change
   * that invalidates the whole namespace.
   */
  changes: OutboxChange[]
  /** The pg_snapshot in which the changes were read; '' if there are no changes */
  snapshot: string
  /** Greatest id of the rows that were read; 0 if there are none */
  lastId: number
}

/** Reads all committed rows that this store has not confirmed, including rows that are claimed or not yet due. */
export async function readOutbox(
  database: Queryable,
  { registration, namespaces, maxRowsPerNamespace }: OutboxSelection & { maxRowsPerNamespace: number },
): Promise<OutboxSnapshot> {
  const rows = await database<(WithAge<OutboxChange> & { snapshot: string; lastId: number })[]>`
    with counted as materialized (
      select namespace, count(*) as rows, min(written_at) as written_at, max(id) as last_id
      from cache_outbox
      where namespace = any(${namespaces as string[]}) and not delivered_to @> array[${registration}::bigint]
      group by namespace
    ), changes as (
      select namespace, null as entry, null as list, written_at from counted where rows > ${maxRowsPerNamespace}
      union all
      select namespace, entry, list, min(written_at) from cache_outbox
      where namespace in (select namespace from counted where rows <= ${maxRowsPerNamespace})
        and not delivered_to @> array[${registration}::bigint]
      group by namespace, entry, list
    )
    select namespace, entry, list, ${ageColumn(database)}, pg_current_snapshot()::text as snapshot,
      (select max(last_id) from counted) as "lastId"
    from changes`
  const [first] = rows
  return {
    changes: rows.map(({ snapshot: _, lastId: __, ...change }) => withWrittenAt(change)),
    snapshot: first?.snapshot ?? '',
    lastId: first?.lastId ?? 0,
  }
}

/**
 * Confirms for this store at most `limit` rows that are visible in the snapshot: deletes those that every other store has confirmed,
 * and marks the others as confirmed. Skips locked rows. Returns the number of confirmed rows.
 */
export async function confirmOutboxSnapshot(
  database: Queryable,
  { registration, namespaces, snapshot, limit }: OutboxSelection & { snapshot: string; limit: number },
): Promise<number> {
  // A row can have a transaction id that this Postgres server has not assigned yet: one at or above the xmax of the current snapshot.
  // Such a row was written on another server and came here in a restored dump. Its transaction id cannot be compared to the snapshot,
  // so the row counts as visible in the snapshot.
  //
  // The ids are passed as arrays, not joined. A vacuum of the outbox, which is usually empty, lets the planner expect no rows. For a
  // join it would then read the whole backlog, and compare each row with each confirmed row.
  const [row] = await database<[{ confirmed: number }]>`
    with confirmed as (
      select id, exists (select 1 from cache_stores_owed(namespace, delivered_to || ${registration}::bigint)) as is_kept
      from cache_outbox
      where namespace = any(${namespaces as string[]}) and not delivered_to @> array[${registration}::bigint]
        and (pg_visible_in_snapshot(transaction_id, ${snapshot}::pg_snapshot)
          or transaction_id >= pg_snapshot_xmax(pg_current_snapshot()))
      limit ${limit} for update skip locked
    ), deleted as (
      delete from cache_outbox where id = any(array(select id from confirmed where not is_kept))
    ), kept as (
      update cache_outbox set delivered_to = array_append(delivered_to, ${registration}::bigint)
      where id = any(array(select id from confirmed where is_kept))
    )
    select count(*)::int as confirmed from confirmed`
  return row.confirmed
}

/**
 * Returns when the oldest row of these namespaces was written, in milliseconds by the monotonic clock of this process; undefined
 * if no such row exists.
 */
export async function oldestOutboxRowWrittenAt(database: Queryable, namespaces: readonly string[]): Promise<number | undefined> {
  const rows = await database<{ ageMs: number }[]>`
    select ${ageColumn(database)} from cache_outbox
    where array_position(${namespaces as string[]}::text[], namespace) is not null order by id limit 1`
  return rows[0] && withWrittenAt(rows[0]).writtenAt
}

/** Calls `wake` after every commit that wrote to the outbox, and after every (re)connect of the listening connection. */
export async function listenToOutbox(database: Database, wake: () => void): Promise<{ stop: () => Promise<void> }> {
  const { unlisten } = await database.listen('cache_outbox', wake, wake)
  return { stop: unlisten }
}

/**
 * Deletes the rows that every store other than this one has confirmed; the confirmation of this store is taken as given. Returns
 * the ids of the deleted rows.
 */
async function deleteIfOthersConfirmed(
  database: Queryable,
  registration: string,
  rows: readonly OutboxRow[],
): Promise<ReadonlySet<number>> {
  const deleted = await database<{ id: number }[]>`
    delete from cache_outbox o where id = any(${idsOf(rows)}::bigint[])
      and not exists (select 1 from cache_stores_owed(o.namespace, o.delivered_to || ${registration}::bigint))
    returning id`
  return new Set(deleted.map(({ id }) => id))
}

async function notifyOutboxListeners(database: Queryable): Promise<void> {
  await database`select pg_notify('cache_outbox', '')`
}

function idsOf(rows: readonly OutboxRow[]): number[] {
  return rows.map(({ id }) => id)
}

type WithAge<Change extends { writtenAt: number }> = Omit<Change, 'writtenAt'> & { ageMs: number }

/**
 * Selects the age of a row instead of the time when it was written, since the clocks of the database server and of this process
 * may differ.
 */
function ageColumn(sql: Queryable) {
  return sql`1000 * extract(epoch from clock_timestamp() - written_at)::float8 as "ageMs"`
}

function withWrittenAt<Row extends { ageMs: number }>({ ageMs, ...row }: Row): Omit<Row, 'ageMs'> & { writtenAt: number } {
  return { ...row, writtenAt: performance.now() - ageMs }
}
