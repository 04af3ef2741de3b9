import type { EntryId, Namespace } from '../cache/namespace.js'
import { SharedFetch } from '../cache/shared-fetch.js'
import type { CacheReader } from './cache-reader.js'
import type { Fetcher } from './fetcher.js'
import type { Batch, Loadable } from './loader.js'

/** One read for the batch; one SQL statement and one fill for what it lacked; null where there is nothing. */
export function cachedBatch<V>(cache: CacheReader, namespace: Namespace<V>, fetch: Fetcher<string, V>): Batch<string, V | null> {
  return (ids, caller) => cache.getOrFetchMany(namespace, ids, fetch, { caller })
}

/** The same for keys that are not ids: `toEntryId` says where such a key is cached. */
export function cachedListBatch<Key, V>(
  cache: CacheReader,
  namespace: Namespace<V>,
  toEntryId: (key: Key) => EntryId,
  fetch: Fetcher<Key, V>,
): Batch<Key, V> {
  return (keys, caller) => {
    const keyOf = new Map(keys.map((key) => [toEntryId(key), key]))
    const ids = [...keyOf.keys()]
    return cache.getOrFetchMany(namespace, ids, fetchEntries(keyOf, fetch), { caller }) as Promise<ArrayLike<Loadable<V>>>
  }
}

/** Turns entry ids back into the keys that they stand for. */
export function fetchEntries<Key, V>(keyOf: ReadonlyMap<EntryId, Key>, fetch: Fetcher<Key, V>) {
  return async (ids: readonly EntryId[], signal?: AbortSignal): Promise<Map<EntryId, V>> => {
    const its = ids.map((id) => keyOf.get(id) as Key)
    const found = await fetch(its, signal)
    return new Map(ids.map((id) => [id, found.get(keyOf.get(id) as Key) as V]))
  }
}

/** For what is not worth an entry: one SQL statement for the batch. */
export function uncachedBatch<Key, V>(fetch: Fetcher<Key, V>): Batch<Key, V> {
  return async (keys, caller) => {
    const found = await new SharedFetch<Key, V>((signal) => fetch(keys, signal)).waitFor(caller)
    return keys.map((key) => found.get(key) as V)
  }
}
