import DataLoader from 'dataloader'
import type { Cache } from '../cache/cache.js'
import { cachedBatch, cachedListBatch, uncachedBatch } from './cached-batch.js'
import { productListEntry, userOrderListEntry } from './entry-ids.js'
import type { Fetchers } from './fetchers.js'
import { createListLoader, listFetcher } from './list-loader.js'
import { ORDERS, PRODUCT_LISTS, PRODUCTS, STATS, USER_ORDERS, USERS } from './namespaces.js'

export type Loaders = ReturnType<typeof createLoaders>

/** Fresh ones for every request: they remember what they loaded. */
export function createLoaders(cache: Cache, fetchers: Fetchers) {
  const fetchUserLists = listFetcher(fetchers.userPages, fetchers.userCounts)
  const fetchProductLists = listFetcher(fetchers.productPages, fetchers.productCounts)
  const fetchUserOrderLists = listFetcher(fetchers.userOrderPages, fetchers.userOrderCounts)
  const loaders = {
    users: new DataLoader(cachedBatch(cache, USERS, fetchers.users)),
    products: new DataLoader(cachedBatch(cache, PRODUCTS, fetchers.products)),
    orders: new DataLoader(cachedBatch(cache, ORDERS, fetchers.orders)),
    // Read by administrators only, and stale with every new user: not worth an entry.
    userLists: createListLoader(uncachedBatch(fetchUserLists)),
    productLists: createListLoader(cachedListBatch(cache, PRODUCT_LISTS, productListEntry, fetchProductLists)),
    userOrderLists: createListLoader(cachedListBatch(cache, USER_ORDERS, userOrderListEntry, fetchUserOrderLists)),
    totals: new DataLoader(cachedListBatch(cache, STATS, (id: string) => id, fetchers.totals)),
  }
  return {
    ...loaders,
    /** After a write, so that the same request reads it. */
    forget() {
      for (const loader of Object.values(loaders)) loader.clearAll()
    },
  }
}
