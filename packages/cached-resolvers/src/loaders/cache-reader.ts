import type { Cache } from '../cache/cache.js'

/** The methods of a cache that loaders use */
export type CacheReader = Pick<Cache, 'hasNear' | 'readNear' | 'getOrFetchMany' | 'fetchMany'>

/** Returns a reader that fetches all values from the source of truth, and neither reads nor fills the cache. */
export function bypassCache(cache: Cache): CacheReader {
  return {
    hasNear: false,
    readNear: () => undefined,
    getOrFetchMany: (namespace, ids, fetch, options) => cache.fetchMany(namespace, ids, fetch, options),
    fetchMany: (namespace, ids, fetch, options) => cache.fetchMany(namespace, ids, fetch, options),
  }
}
