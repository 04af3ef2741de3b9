import type { Database, Queryable } from './database.js'

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

/** A store that caches use, and what of the outbox is for it */
export interface OutboxReader {
  /** The registration of the store (see cache-stores.ts) */
  store: string
  /** Those that this version of the program knows; changes of others are left alone. */
  namespaces: readonly string[]
}

/**
 * Takes rows that are due and owed to this store, of those behind the row `after` the newest first, and asks its other processes to leave
 * them alone for `claimMs`. The claim is committed before this returns, so a process that stops right after it holds no lock and delays
 * these rows by that time.
 */
export async function claimOutboxRows(
  database: Queryable,
  { store, namespaces, after, limit, claimMs }: OutboxReader & { after: number; limit: number; claimMs: number },
): Promise<OutboxRow[]> {
  // The planner takes "= any" for rare, and would sort a whole backlog.
  const rows = await database<Aged<OutboxRow>[]>`
    update cache_outbox set claimed_by = ${store}, claimed_until = clock_timestamp() + ${claimMs} * interval '1 millisecond'
    where id = any(array(
      select id from cache_outbox
      where id > ${after} and due_at <= clock_timestamp() and array_position(${namespaces as string[]}::text[], namespace) is not null
        and not delivered_to @> array[${store}::bigint]
        and (claimed_by is distinct from ${store} or claimed_until <= clock_timestamp())
      order by id desc limit ${limit} for update skip locked))
    returning id, namespace, entry, list, ${ageOf(database)}`
  return rows.map(withTime)
}

/**
 * The store has confirmed these rows: those that are owed to no other one go. Gives the others, which are due for those at once.
 */
export async function confirmOutboxRows(database: Queryable, store: string, rows: readonly OutboxRow[]): Promise<OutboxRow[]> {
  const gone = await deleteDelivered(database, store, rows)
  const owed = rows.filter(({ id }) => !gone.has(id))
  if (owed.length === 0) return []
  await database`
    update cache_outbox set delivered_to = array_append(delivered_to, ${store}::bigint), due_at = least(due_at, clock_timestamp())
    where id = any(${idsOf(owed)}::bigint[]) and not delivered_to @> array[${store}::bigint]`
  // Where two stores confirmed at the same time, each has seen the other one by now.
  const goneSince = await deleteDelivered(database, store, owed)
  await wakeOutboxListeners(database)
  return owed.filter(({ id }) => !goneSince.has(id))
}

/** The store that was to confirm them did not: every process may deliver them now, whoever claimed them. */
export async function makeOutboxRowsDue(database: Queryable, rows: readonly OutboxRow[]): Promise<void> {
  await database`
    update cache_outbox set due_at = least(due_at, clock_timestamp()), claimed_until = least(claimed_until, clock_timestamp())
    where id = any(${idsOf(rows)}::bigint[])`
  await wakeOutboxListeners(database)
}

/** Those of the rows that are owed to a store that was reported in use within the last `inUseMs`. */
export async function owedOutboxRows(database: Queryable, rows: readonly OutboxRow[], inUseMs: number): Promise<OutboxRow[]> {
  const found = await database<{ id: number }[]>`
    select distinct o.id from cache_outbox o, cache_stores_owed(o.namespace, o.delivered_to) s
    where o.id = any(${idsOf(rows)}::bigint[]) and s.in_use_at > clock_timestamp() - ${inUseMs} * interval '1 millisecond'`
  const owed = new Set(found.map(({ id }) => id))
  return rows.filter(({ id }) => owed.has(id))
}

/** What is left of changes that were owed to a store that is unregistered by now; at most `limit` rows. */
export async function deleteDeliveredOutboxRows(database: Queryable, limit: number): Promise<void> {
  await database`
    delete from cache_outbox where id = any(array(
      select o.id from cache_outbox o
      where due_at <= clock_timestamp() and not exists (select 1 from cache_stores_owed(o.namespace, o.delivered_to))
      limit ${limit} for update skip locked))`
}

export interface OutboxContent {
  /** Each entry and list once. A namespace with more than `maxRows` rows is one change, of the whole namespace. */
  changes: OutboxChange[]
  /** The transactions whose rows these are */
  snapshot: string
  lastId: number
}

/** All that is committed and owed to this store now, due or not, claimed or not. */
export async function readOutbox(
  database: Queryable,
  { store, namespaces, maxRows }: OutboxReader & { maxRows: number },
): Promise<OutboxContent> {
  const rows = await database<(Aged<OutboxChange> & { snapshot: string; lastId: number })[]>`
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
    select namespace, entry, list, ${ageOf(database)}, pg_current_snapshot()::text as snapshot,
      (select max(last_id) from counted) as "lastId"
    from changes`
  const [first] = rows
  return {
    changes: rows.map(({ snapshot: _, lastId: __, ...change }) => withTime(change)),
    ...{ snapshot: first?.snapshot ?? '', lastId: first?.lastId ?? 0 },
  }
}

/**
 * The store has confirmed what was committed in this snapshot: at most `limit` of its rows, and the answer is how many. Those that are owed
 * to no other store go. Waits for no lock: locked rows stay.
 */
export async function confirmOutboxRowsIn(
  database: Queryable,
  { store, namespaces, snapshot, limit }: OutboxReader & { snapshot: string; limit: number },
): Promise<number> {
  // A visible row of a transaction to come was restored from another server, whose numbers say nothing here.
  const [row] = await database<[{ confirmed: number }]>`
    with confirmed as (
      select id, exists (select 1 from cache_stores_owed(namespace, delivered_to || ${store}::bigint)) as is_owed from cache_outbox
      where namespace = any(${namespaces as string[]}) and not delivered_to @> array[${store}::bigint]
        and (pg_visible_in_snapshot(transaction_id, ${snapshot}::pg_snapshot)
          or transaction_id >= pg_snapshot_xmax(pg_current_snapshot()))
      limit ${limit} for update skip locked
    ), gone as (
      delete from cache_outbox using confirmed where cache_outbox.id = confirmed.id and not is_owed
    ), kept as (
      update cache_outbox set delivered_to = array_append(delivered_to, ${store}::bigint)
      from confirmed where cache_outbox.id = confirmed.id and is_owed
    )
    select count(*)::int as confirmed from confirmed`
  return row.confirmed
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

/** Of these rows, those that are owed to no store but this one; gives their ids. */
async function deleteDelivered(database: Queryable, store: string, rows: readonly OutboxRow[]): Promise<ReadonlySet<number>> {
  const gone = await database<{ id: number }[]>`
    delete from cache_outbox o where id = any(${idsOf(rows)}::bigint[])
      and not exists (select 1 from cache_stores_owed(o.namespace, o.delivered_to || ${store}::bigint))
    returning id`
  return new Set(gone.map(({ id }) => id))
}

async function wakeOutboxListeners(database: Queryable): Promise<void> {
  await database`select pg_notify('cache_outbox', '')`
}

function idsOf(rows: readonly OutboxRow[]): number[] {
  return rows.map(({ id }) => id)
}

type Aged<Change extends { writtenAt: number }> = Omit<Change, 'writtenAt'> & { ageMs: number }

/** The clocks of the two hosts may differ; an age does not. */
function ageOf(sql: Queryable) {
  return sql`1000 * extract(epoch from clock_timestamp() - written_at)::float8 as "ageMs"`
}

function withTime<Row extends { ageMs: number }>({ ageMs, ...row }: Row): Omit<Row, 'ageMs'> & { writtenAt: number } {
  return { ...row, writtenAt: performance.now() - ageMs }
}
