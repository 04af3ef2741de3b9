import type { Cache } from '../cache/cache.js'
import type { EntryId, Namespace } from '../cache/namespace.js'
import type { Page } from '../model.js'
import { cachedBatch, cachedListBatch, uncachedBatch } from './cached-batch.js'
import { productListEntry, userOrderListEntry } from './entry-ids.js'
import type { Fetcher, Fetchers } from './fetchers.js'
import { type ListKey, ListLoader, listFetcher } from './list-loader.js'
import { Loader } from './loader.js'
import { ORDERS, PRODUCT_LISTS, PRODUCTS, STATS, USER_ORDERS, USERS } from './namespaces.js'

export type Loaders = ReturnType<ReturnType<typeof createLoaderFactory>>

/** Gives the loaders of a request: fresh ones, since they remember what they loaded. */
export function createLoaderFactory(cache: Cache, fetchers: Fetchers) {
  const users = byId(cache, USERS, fetchers.users)
  const products = byId(cache, PRODUCTS, fetchers.products)
  const orders = byId(cache, ORDERS, fetchers.orders)
  const productLists = ofLists(cache, PRODUCT_LISTS, productListEntry, listFetcher(fetchers.productPages, fetchers.productCounts))
  const userOrderLists = ofLists(
    cache,
    USER_ORDERS,
    userOrderListEntry,
    listFetcher(fetchers.userOrderPages, fetchers.userOrderCounts),
  )
  // Read by administrators only, and stale with every new user: not worth an entry.
  const userLists = { near: () => undefined, batch: uncachedBatch(listFetcher(fetchers.userPages, fetchers.userCounts)) }
  const totals = byId(cache, STATS, fetchers.totals)
  return () => {
    const loaders = {
      users: new Loader(users),
      products: new Loader(products),
      orders: new Loader(orders),
      userLists: new ListLoader(userLists),
      productLists: new ListLoader(productLists),
      userOrderLists: new ListLoader(userOrderLists),
      totals: new Loader(totals),
    }
    return {
      ...loaders,
      /** After a write, so that the same request reads it. */
      forget() {
        for (const loader of Object.values(loaders)) loader.clearAll()
      },
    }
  }
}

function byId<V>(cache: Cache, namespace: Namespace<V>, fetch: Fetcher<string, V>) {
  return { near: (id: string) => cache.readNear(namespace, id), batch: cachedBatch(cache, namespace, fetch) }
}

function ofLists(
  cache: Cache,
  namespace: Namespace<Page | number>,
  toEntryId: (key: ListKey) => EntryId,
  fetch: Fetcher<ListKey, Page | number>,
) {
  const near = (key: ListKey) => cache.readNear(namespace, toEntryId(key)) ?? undefined
  return { near, batch: cachedListBatch(cache, namespace, toEntryId, fetch) }
}
