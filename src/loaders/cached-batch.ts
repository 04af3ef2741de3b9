import type DataLoader from 'dataloader'
import type { EntryId, Namespace } from '../cache/namespace.js'
import type { CacheReader } from './cache-reader.js'
import type { Fetcher } from './fetchers.js'

/** One read for the batch; one SQL statement and one fill for what it lacked; null where there is nothing. */
export function cachedBatch<V>(cache: CacheReader, namespace: Namespace<V>, fetch: Fetcher<string, V>): Batch<string, V | null> {
  // A value that another request is fetching comes as a promise; the loader resolves that key with it, when it is there.
  return (ids) => cache.getOrFetchMany(namespace, ids, fetch) as Promise<ArrayLike<V | null>>
}

/** The same for keys that are not ids: `toEntryId` says where such a key is cached. */
export function cachedListBatch<Key, V>(
  cache: CacheReader,
  namespace: Namespace<V>,
  toEntryId: (key: Key) => EntryId,
  fetch: Fetcher<Key, V>,
): Batch<Key, V> {
  return (keys) => {
    const keyOf = new Map(keys.map((key) => [toEntryId(key), key]))
    return cache.getOrFetchMany(namespace, [...keyOf.keys()], fetchEntries(keyOf, fetch)) as Promise<ArrayLike<V>>
  }
}

/** Turns entry ids back into the keys that they stand for. */
export function fetchEntries<Key, V>(keyOf: ReadonlyMap<EntryId, Key>, fetch: Fetcher<Key, V>) {
  return async (ids: readonly EntryId[]): Promise<Map<EntryId, V>> => {
    const found = await fetch(ids.map((id) => keyOf.get(id) as Key))
    return new Map(ids.map((id) => [id, found.get(keyOf.get(id) as Key) as V]))
  }
}

/** For what is not worth an entry: one SQL statement for the batch. */
export function uncachedBatch<Key, V>(fetch: Fetcher<Key, V>): Batch<Key, V> {
  return async (keys) => {
    const found = await fetch(keys)
    return keys.map((key) => found.get(key) as V)
  }
}

type Batch<Key, V> = DataLoader.BatchLoadFn<Key, V>
