import type { Queryable } from './database.js'

/**
 * The registered cache stores. The outbox keeps a row until every registered store of its namespace has confirmed it. A
 * registration is identified by a number, passed as text. A store is in use while processes report that they serve from it.
 */

/** Finds the registration of a store by its name. `wasUsed` is whether a process has ever reported this registration in use. */
export async function findCacheStore(
  database: Queryable,
  name: string,
): Promise<{ registration: string; wasUsed: boolean } | null> {
  const [row] = await database<{ registration: string; wasUsed: boolean }[]>`
    select registration::text, in_use_at is not null as "wasUsed" from cache_stores where name = ${name}`
  return row ?? null
}

/** Returns the new registration; null if the store is already registered. */
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

/** Records that a process uses the store now. Returns false if the registration no longer exists. */
export async function reportCacheStoreInUse(database: Queryable, registration: string): Promise<boolean> {
  const { count } = await database`
    update cache_stores set in_use_at = clock_timestamp() where registration = ${registration}::bigint`
  return count > 0
}

/** Deletes the registration, so that the outbox keeps no more rows for the store. */
export async function unregisterCacheStore(database: Queryable, registration: string): Promise<void> {
  await database`delete from cache_stores where registration = ${registration}::bigint`
}

export interface UnusedStoreLimits {
  /**
   * A store that no process has reported in use for this long is unregistered; the store must be emptied before it is used again.
   */
  unusedMs: number
  /**
   * A store with more than `maxUnconfirmed` unconfirmed rows is unregistered after this time without use, provided that another
   * store is in use, because the rows kept for the unused store slow down the claims of other stores.
   */
  laggingStoreUnusedMs: number
  maxUnconfirmed: number
}

/** Unregisters the stores that exceed the limits. */
export async function unregisterUnusedCacheStores(
  database: Queryable,
  { unusedMs, laggingStoreUnusedMs, maxUnconfirmed }: UnusedStoreLimits,
): Promise<void> {
  await database`
    delete from cache_stores s
    where greatest(in_use_at, registered_at) < clock_timestamp() - ${unusedMs} * interval '1 millisecond'
      or greatest(in_use_at, registered_at) < clock_timestamp() - ${laggingStoreUnusedMs} * interval '1 millisecond'
        and exists (select 1 from cache_stores where in_use_at >= clock_timestamp() - ${laggingStoreUnusedMs} * interval '1 millisecond')
        and exists (
          select 1 from cache_outbox o where o.namespace = any(s.namespaces) and not o.delivered_to @> array[s.registration]
          offset ${maxUnconfirmed})`
}
