import type { Cancellation } from '../cache/cancellation.js'
import type { EntryId, Fetch, Namespace } from '../cache/namespace.js'
import { SharedFetch } from '../cache/shared-fetch.js'
import type { CacheReader } from './cache-reader.js'
import type { Fetcher } from './fetcher.js'
import type { Batch, PromiseOrValue } from './loader.js'

/**
 * Returns a batch function that makes one cache read, and for all misses one SQL statement and one fill. Missing values are null.
 */
export function cachedBatch<V>(cache: CacheReader, namespace: Namespace<V>, fetch: Fetcher<string, V>): Batch<string, V | null> {
  return (ids, cancellation) => cache.getOrFetchMany(namespace, ids, fetch, { cancellation })
}

/** Reads entries by id, with or without the cache. The values are in the order of the ids. */
type ReadEntries<V> = (
  ids: readonly EntryId[],
  fetch: Fetch<EntryId, V>,
  options: { cancellation: Cancellation },
) => Promise<ArrayLike<PromiseOrValue<V | null>>>

/** Returns a batch function that calls `read`, for keys that are not ids. `toEntryId` returns the entry id of a key. */
export function listBatch<Key, V>(read: ReadEntries<V>, toEntryId: (key: Key) => EntryId, fetch: Fetcher<Key, V>): Batch<Key, V> {
  return (keys, cancellation) => {
    const keyOf = new Map(keys.map((key) => [toEntryId(key), key]))
    return read([...keyOf.keys()], fetchEntries(keyOf, fetch), { cancellation }) as Promise<ArrayLike<PromiseOrValue<V>>>
  }
}

/** Wraps a fetcher of keys in a function that takes entry ids and returns values by entry id. */
export function fetchEntries<Key, V>(keyOf: ReadonlyMap<EntryId, Key>, fetch: Fetcher<Key, V>) {
  return async (ids: readonly EntryId[], signal?: AbortSignal): Promise<Map<EntryId, V>> => {
    const keys = ids.map((id) => keyOf.get(id) as Key)
    const found = await fetch(keys, signal)
    return new Map(ids.map((id) => [id, found.get(keyOf.get(id) as Key) as V]))
  }
}

/** Returns a batch function that does not use the cache, and runs one SQL statement per batch. */
export function uncachedBatch<Key, V>(fetch: Fetcher<Key, V>): Batch<Key, V> {
  return async (keys, cancellation) => {
    const found = await new SharedFetch<Key, V>((signal) => fetch(keys, signal)).waitFor(cancellation)
    return keys.map((key) => found.get(key) as V)
  }
}

/**
 * Returns a batch function that loads the keys for which `isCached` returns true with `cached`, and the others with `uncached`. The
 * values of the others are returned as promises, so that they neither delay the cached values nor fail together with them.
 */
export function splitBatch<Key, V>(
  isCached: (key: Key) => boolean,
  cached: Batch<Key, V>,
  uncached: Batch<Key, V>,
): Batch<Key, V> {
  return async (keys, cancellation) => {
    const others = keys.filter((key) => !isCached(key))
    if (others.length === 0) return cached(keys, cancellation)
    const foundOthers = uncached(others, cancellation)
    const valuesOfOthers = others.map((_, index) => foundOthers.then((values) => values[index] as V))
    // Prevents an unhandled rejection if the cached part fails first, or if the request has been cancelled and awaits no value.
    for (const value of valuesOfOthers) value.catch(() => undefined)
    const rest = keys.filter(isCached)
    const found = rest.length > 0 ? await cached(rest, cancellation) : []
    const values = new Map<Key, PromiseOrValue<V>>()
    for (const [index, key] of others.entries()) values.set(key, valuesOfOthers[index] as Promise<V>)
    for (const [index, key] of rest.entries()) values.set(key, found[index] as PromiseOrValue<V>)
    return keys.map((key) => values.get(key) as PromiseOrValue<V>)
  }
}
