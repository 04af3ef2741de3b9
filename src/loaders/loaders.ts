import DataLoader from 'dataloader'
import type { Cache } from '../cache/cache.js'
import { cachedBatch, cachedListBatch, uncachedBatch } from './cached-batch.js'
import { listKey, pageKey, productCountEntry, productPageEntry, userOrderCountEntry, userOrderPageEntry } from './entry-ids.js'
import type { Fetchers } from './fetchers.js'
import { ORDERS, PRODUCT_COUNTS, PRODUCT_LISTS, PRODUCTS, STATS, USER_ORDER_COUNTS, USER_ORDERS, USERS } from './namespaces.js'

export type Loaders = ReturnType<typeof createLoaders>

/** Fresh ones for every request: they remember what they loaded. */
export function createLoaders(cache: Cache, fetchers: Fetchers) {
  const loaders = {
    users: new DataLoader(cachedBatch(cache, USERS, fetchers.users)),
    products: new DataLoader(cachedBatch(cache, PRODUCTS, fetchers.products)),
    orders: new DataLoader(cachedBatch(cache, ORDERS, fetchers.orders)),
    // Read by administrators only, and stale with every new user: not worth an entry.
    userPages: new DataLoader(uncachedBatch(fetchers.userPages), { cacheKeyFn: pageKey }),
    userCounts: new DataLoader(uncachedBatch(fetchers.userCounts), { cacheKeyFn: listKey }),
    productPages: new DataLoader(cachedListBatch(cache, PRODUCT_LISTS, productPageEntry, fetchers.productPages), {
      cacheKeyFn: pageKey,
    }),
    productCounts: new DataLoader(cachedListBatch(cache, PRODUCT_COUNTS, productCountEntry, fetchers.productCounts), {
      cacheKeyFn: listKey,
    }),
    userOrderPages: new DataLoader(cachedListBatch(cache, USER_ORDERS, userOrderPageEntry, fetchers.userOrderPages), {
      cacheKeyFn: pageKey,
    }),
    userOrderCounts: new DataLoader(cachedListBatch(cache, USER_ORDER_COUNTS, userOrderCountEntry, fetchers.userOrderCounts), {
      cacheKeyFn: listKey,
    }),
    totals: new DataLoader(cachedListBatch(cache, STATS, (id: string) => id, fetchers.totals)),
    /** After a write, so that the same request reads it. */
    forget() {
      for (const loader of Object.values(loaders)) if (loader instanceof DataLoader) loader.clearAll()
    },
  }
  return loaders
}
