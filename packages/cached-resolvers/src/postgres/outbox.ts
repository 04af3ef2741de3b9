import type { Database, Queryable } from './database.js'

/** What a change invalidates, as recorded by the triggers: an entry, a list, or (both null) a whole namespace. */
export interface OutboxChange {
  namespace: string
  entry: string | null
  list: string | null
  /** By the monotonic clock of this process, in milliseconds */
  writtenAt: number
}

export interface OutboxRow extends OutboxChange {
  id: number
}

/** The rows written by this transaction. */
export async function ownOutboxRows(transaction: Queryable): Promise<OutboxRow[]> {
  const rows = await transaction<WithAge<OutboxRow>[]>`
    select id, namespace, entry, list, ${ageColumn(transaction)} from cache_outbox where transaction_id = pg_current_xact_id() order by id`
  return rows.map(withWrittenAt)
}

/** A store and the part of the outbox that is delivered to it */
export interface OutboxReader {
  /** Registration of the store (see cache-stores.ts) */
  store: string
  /** The namespaces that this version of the program knows. Rows of other namespaces are ignored. */
  namespaces: readonly string[]
}

/**
 * Claims due rows that this store has not confirmed, with ids greater than `after`, newest first. Other processes of the store
 * skip them for `claimMs`. The claim is committed before this returns: a process that then crashes holds no lock, and only delays
 * these rows by `claimMs`.
 */
export async function claimOutboxRows(
  database: Queryable,
  { store, namespaces, after, limit, claimMs }: OutboxReader & { after: number; limit: number; claimMs: number },
): Promise<OutboxRow[]> {
  // array_position: the planner estimates few matches for "= any", and would then sort the whole backlog.
  const rows = await database<WithAge<OutboxRow>[]>`
    update cache_outbox set claimed_by = ${store}, claimed_until = clock_timestamp() + ${claimMs} * interval '1 millisecond'
    where id = any(array(
      select id from cache_outbox
      where id > ${after} and due_at <= clock_timestamp() and array_position(${namespaces as string[]}::text[], namespace) is not null
        and not delivered_to @> array[${store}::bigint]
        and (claimed_by is distinct from ${store} or claimed_until <= clock_timestamp())
      order by id desc limit ${limit} for update skip locked))
    returning id, namespace, entry, list, ${ageColumn(database)}`
  return rows.map(withWrittenAt)
}

/**
 * Marks rows as confirmed by this store. Deletes those that every store has confirmed, makes the others due at once for the
 * remaining stores, and returns them.
 */
export async function confirmOutboxRows(database: Queryable, store: string, rows: readonly OutboxRow[]): Promise<OutboxRow[]> {
  const deleted = await deleteDelivered(database, store, rows)
  const undelivered = rows.filter(({ id }) => !deleted.has(id))
  if (undelivered.length === 0) return []
  await database`
    update cache_outbox set delivered_to = array_append(delivered_to, ${store}::bigint), due_at = least(due_at, clock_timestamp())
    where id = any(${idsOf(undelivered)}::bigint[]) and not delivered_to @> array[${store}::bigint]`
  // If two stores confirmed at the same time, at least one of them sees both confirmations now.
  const deletedSince = await deleteDelivered(database, store, undelivered)
  await notifyOutboxListeners(database)
  return undelivered.filter(({ id }) => !deletedSince.has(id))
}

/** Makes rows due and ends their claims, because their store did not confirm them: any process may deliver them now. */
export async function makeOutboxRowsDue(database: Queryable, rows: readonly OutboxRow[]): Promise<void> {
  await database`
    update cache_outbox set due_at = least(due_at, clock_timestamp()), claimed_until = least(claimed_until, clock_timestamp())
    where id = any(${idsOf(rows)}::bigint[])`
  await notifyOutboxListeners(database)
}

/** The rows that some store, reported in use within the last `inUseMs`, has not confirmed. */
export async function undeliveredOutboxRows(
  database: Queryable,
  rows: readonly OutboxRow[],
  inUseMs: number,
): Promise<OutboxRow[]> {
  const found = await database<{ id: number }[]>`
    select distinct o.id from cache_outbox o, cache_stores_owed(o.namespace, o.delivered_to) s
    where o.id = any(${idsOf(rows)}::bigint[]) and s.in_use_at > clock_timestamp() - ${inUseMs} * interval '1 millisecond'`
  const undelivered = new Set(found.map(({ id }) => id))
  return rows.filter(({ id }) => undelivered.has(id))
}

/** Deletes rows that were kept only for stores that are no longer registered; at most `limit` rows. */
export async function deleteDeliveredOutboxRows(database: Queryable, limit: number): Promise<void> {
  await database`
    delete from cache_outbox where id = any(array(
      select o.id from cache_outbox o
      where due_at <= clock_timestamp() and not exists (select 1 from cache_stores_owed(o.namespace, o.delivered_to))
      limit ${limit} for update skip locked))`
}

export interface OutboxSnapshot {
  /** Each entry and list once. A namespace with more than `maxRows` rows is a single change of the whole namespace. */
  changes: OutboxChange[]
  /** The pg_snapshot in which they were read */
  snapshot: string
  lastId: number
}

/** Reads all committed rows that this store has not confirmed, whether due, claimed or neither. */
export async function readOutbox(
  database: Queryable,
  { store, namespaces, maxRows }: OutboxReader & { maxRows: number },
): Promise<OutboxSnapshot> {
  const rows = await database<(WithAge<OutboxChange> & { snapshot: string; lastId: number })[]>`
    with counted as materialized (
      select namespace, count(*) as rows, min(written_at) as written_at, max(id) as last_id
      from cache_outbox
      where namespace = any(${namespaces as string[]}) and not delivered_to @> array[${store}::bigint]
      group by namespace
    ), changes as (
      select namespace, null as entry, null as list, written_at from counted where rows > ${maxRows}
      union all
      select namespace, entry, list, min(written_at) from cache_outbox
      where namespace in (select namespace from counted where rows <= ${maxRows}) and not delivered_to @> array[${store}::bigint]
      group by namespace, entry, list
    )
    select namespace, entry, list, ${ageColumn(database)}, pg_current_snapshot()::text as snapshot,
      (select max(last_id) from counted) as "lastId"
    from changes`
  const [first] = rows
  return {
    changes: rows.map(({ snapshot: _, lastId: __, ...change }) => withWrittenAt(change)),
    ...{ snapshot: first?.snapshot ?? '', lastId: first?.lastId ?? 0 },
  }
}

/**
 * Marks rows that are visible in the snapshot as confirmed by this store, at most `limit`, and returns how many. Deletes those
 * that every store has confirmed. Waits for no lock: locked rows are skipped.
 */
export async function confirmOutboxSnapshot(
  database: Queryable,
  { store, namespaces, snapshot, limit }: OutboxReader & { snapshot: string; limit: number },
): Promise<number> {
  // A visible row with a future transaction id was restored from another server, whose transaction ids mean nothing here.
  const [row] = await database<[{ confirmed: number }]>`
    with confirmed as (
      select id, exists (select 1 from cache_stores_owed(namespace, delivered_to || ${store}::bigint)) as is_owed from cache_outbox
      where namespace = any(${namespaces as string[]}) and not delivered_to @> array[${store}::bigint]
        and (pg_visible_in_snapshot(transaction_id, ${snapshot}::pg_snapshot)
          or transaction_id >= pg_snapshot_xmax(pg_current_snapshot()))
      limit ${limit} for update skip locked
    ), deleted as (
      delete from cache_outbox using confirmed where cache_outbox.id = confirmed.id and not is_owed
    ), kept as (
      update cache_outbox set delivered_to = array_append(delivered_to, ${store}::bigint)
      from confirmed where cache_outbox.id = confirmed.id and is_owed
    )
    select count(*)::int as confirmed from confirmed`
  return row.confirmed
}

/** When the oldest row was written; undefined if the outbox has none of these namespaces. */
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

/** Deletes those rows that every store except this one has confirmed; returns their ids. */
async function deleteDelivered(database: Queryable, store: string, rows: readonly OutboxRow[]): Promise<ReadonlySet<number>> {
  const deleted = await database<{ id: number }[]>`
    delete from cache_outbox o where id = any(${idsOf(rows)}::bigint[])
      and not exists (select 1 from cache_stores_owed(o.namespace, o.delivered_to || ${store}::bigint))
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

/** Ages are transferred instead of times, since the clocks of the two hosts may differ. */
function ageColumn(sql: Queryable) {
  return sql`1000 * extract(epoch from clock_timestamp() - written_at)::float8 as "ageMs"`
}

function withWrittenAt<Row extends { ageMs: number }>({ ageMs, ...row }: Row): Omit<Row, 'ageMs'> & { writtenAt: number } {
  return { ...row, writtenAt: performance.now() - ageMs }
}
