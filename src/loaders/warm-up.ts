import { type Cache, type EntryId, type Fetcher, fetchEntries, type Namespace, type PageQuery } from 'cached-resolvers'
import { productListEntry, totalsId, userOrderListEntry } from './entry-ids.js'
import type { Fetchers } from './fetchers.js'
import { ORDERS, PRODUCT_LISTS, PRODUCTS, STATS, USER_ORDERS, USERS } from './namespaces.js'

/** Fills a namespace, by name, with its newest values, `limit` of them at most. Gives the number of entries that are there then. */
export type WarmUp = Readonly<Record<string, (limit: number) => Promise<number>>>

export function createWarmUp(cache: Cache, fetchers: Fetchers, pageSize: number): WarmUp {
  const byId = (id: string) => id
  const firstPage = (list: string | null): PageQuery => ({ list, after: null, before: null, size: pageSize, from: 'start' })
  return {
    [USERS.name]: async (limit) => warm(cache, USERS, byId, await fetchers.newestIds('user', limit), fetchers.users),
    [PRODUCTS.name]: async (limit) => warm(cache, PRODUCTS, byId, await fetchers.newestIds('product', limit), fetchers.products),
    [ORDERS.name]: async (limit) => warm(cache, ORDERS, byId, await fetchers.newestIds('order', limit), fetchers.orders),
    [PRODUCT_LISTS.name]: async (limit) => {
      const lists = [null, ...(await fetchers.categories(limit - 1))]
      return warm(cache, PRODUCT_LISTS, productListEntry, lists.map(firstPage), fetchers.productPages)
    },
    [USER_ORDERS.name]: async (limit) => {
      const users = await fetchers.newestBuyers(limit)
      return warm(cache, USER_ORDERS, userOrderListEntry, users.map(firstPage), fetchers.userOrderPages)
    },
    [STATS.name]: async () => warm(cache, STATS, byId, [totalsId], fetchers.totals),
  }
}

const chunkSize = 500

async function warm<Key, V>(
  cache: Cache,
  namespace: Namespace<V>,
  toEntryId: (key: Key) => EntryId,
  keys: readonly Key[],
  fetch: Fetcher<Key, V>,
): Promise<number> {
  let entries = 0
  for (let start = 0; start < keys.length; start += chunkSize) {
    const keyOf = new Map(keys.slice(start, start + chunkSize).map((key) => [toEntryId(key), key]))
    entries += await cache.warmMany(namespace, [...keyOf.keys()], fetchEntries(keyOf, fetch))
  }
  return entries
}
