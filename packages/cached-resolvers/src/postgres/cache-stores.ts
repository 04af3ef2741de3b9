import type { Queryable } from './database.js'

/** The stores that caches use, and to which the outbox owes changes (see 0007-cache-stores.sql). Registrations are numbers, as text. */

/** `wasUsed`: whether a process has ever reported that it uses this registration. */
export async function findCacheStore(
  database: Queryable,
  name: string,
): Promise<{ registration: string; wasUsed: boolean } | null> {
  const [row] = await database<{ registration: string; wasUsed: boolean }[]>`
    select registration::text, in_use_at is not null as "wasUsed" from cache_stores where name = ${name}`
  return row ?? null
}

/** Gives its registration; null where the store has one already. */
export async function registerCacheStore(
  database: Queryable,
  { name, namespaces }: { name: string; namespaces: readonly string[] },
): Promise<string | null> {
  const [row] = await database<{ registration: string }[]>`
    insert into cache_stores (name, namespaces) values (${name}, ${namespaces as string[]})
    on conflict (name) do nothing
    returning registration::text`
  return row?.registration ?? null
}

/** Answers whether the registration still stands. */
export async function reportCacheStoreInUse(database: Queryable, registration: string): Promise<boolean> {
  const { count } = await database`
    update cache_stores set in_use_at = clock_timestamp() where registration = ${registration}::bigint`
  return count > 0
}

export async function unregisterCacheStore(database: Queryable, registration: string): Promise<void> {
  await database`delete from cache_stores where registration = ${registration}::bigint`
}

export interface UnusedFor {
  /** A store that no process has used for that long is emptied before it is used again. */
  unusedMs: number
  /**
   * While others are in use, one that is owed more than `maxOwed` changes has only that long: each row that is kept for it makes every
   * claim of the others slower.
   */
  behindMs: number
  maxOwed: number
}

export async function unregisterUnusedCacheStores(
  database: Queryable,
  { unusedMs, behindMs, maxOwed }: UnusedFor,
): Promise<void> {
  await database`
    delete from cache_stores s
    where greatest(in_use_at, registered_at) < clock_timestamp() - ${unusedMs} * interval '1 millisecond'
      or greatest(in_use_at, registered_at) < clock_timestamp() - ${behindMs} * interval '1 millisecond'
        and exists (select 1 from cache_stores where in_use_at >= clock_timestamp() - ${behindMs} * interval '1 millisecond')
        and exists (
          select 1 from cache_outbox o where o.namespace = any(s.namespaces) and not o.delivered_to @> array[s.registration]
          offset ${maxOwed})`
}
