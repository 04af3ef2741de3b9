import type { Cache } from '../cache/cache.js'

/** The part of a cache that loaders use */
export type CacheReader = Pick<Cache, 'readNear' | 'getOrFetchMany'>

/** A reader that fetches everything from the source of truth: it neither reads nor fills the cache. */
export function bypassCache(cache: Cache): CacheReader {
  return {
    readNear: () => undefined,
    getOrFetchMany: (namespace, ids, fetch, options) => cache.fetchMany(namespace, ids, fetch, options),
  }
}
