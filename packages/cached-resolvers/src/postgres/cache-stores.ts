import type { Queryable } from './database.js'

/**
 * The registered cache stores: every outbox row is kept until each of them has confirmed it. Registrations are numbers, as text.
 */

/** `wasUsed`: whether a process ever reported this registration in use. */
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

/** Returns false if the registration no longer exists. */
export async function reportCacheStoreInUse(database: Queryable, registration: string): Promise<boolean> {
  const { count } = await database`
    update cache_stores set in_use_at = clock_timestamp() where registration = ${registration}::bigint`
  return count > 0
}

export async function unregisterCacheStore(database: Queryable, registration: string): Promise<void> {
  await database`delete from cache_stores where registration = ${registration}::bigint`
}

export interface UnusedStoreLimits {
  /** A store that no process has used for this long is unregistered; it has to be emptied before it is used again. */
  unusedMs: number
  /**
   * The same for a store with more than `maxUndelivered` undelivered changes, while other stores are in use: every row kept for
   * it slows down the claims of the others.
   */
  laggingMs: number
  maxUndelivered: number
}

export async function unregisterUnusedCacheStores(
  database: Queryable,
  { unusedMs, laggingMs, maxUndelivered }: UnusedStoreLimits,
): Promise<void> {
  await database`
    delete from cache_stores s
    where greatest(in_use_at, registered_at) < clock_timestamp() - ${unusedMs} * interval '1 millisecond'
      or greatest(in_use_at, registered_at) < clock_timestamp() - ${laggingMs} * interval '1 millisecond'
        and exists (select 1 from cache_stores where in_use_at >= clock_timestamp() - ${laggingMs} * interval '1 millisecond')
        and exists (
          select 1 from cache_outbox o where o.namespace = any(s.namespaces) and not o.delivered_to @> array[s.registration]
          offset ${maxUndelivered})`
}
