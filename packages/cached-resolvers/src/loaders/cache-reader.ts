import type { Cache } from '../cache/cache.js'

/** What loaders need of a cache */
export type CacheReader = Pick<Cache, 'readNear' | 'getOrFetchMany'>

/** Reads nothing from the cache, and leaves it as it is. */
export function pastCache(cache: Cache): CacheReader {
  return {
    readNear: () => undefined,
    getOrFetchMany: (namespace, ids, fetch, options) => cache.fetchMany(namespace, ids, fetch, options),
  }
}
