import { readCancellably } from 'cached-resolvers/postgres'
import type { Queryable } from '../database/connection.js'
import { fetchProductCounts, fetchTotals, fetchUserCounts, fetchUserOrderCounts } from './counts.js'
import { fetchCategories, fetchNewestBuyers, fetchNewestIds } from './newest.js'
import { fetchOrders } from './orders.js'
import { fetchProductPages, fetchUserOrderPages, fetchUserPages } from './pages.js'
import { fetchProducts } from './products.js'
import { fetchUsers } from './users.js'

type Rest<F> = F extends (database: Queryable, ...rest: infer R) => infer V ? (...rest: R) => V : never

type Fetch<Key, V> = (database: Queryable, keys: readonly Key[]) => Promise<Map<Key, V>>

/** Every read of the shop, on one database. Those of many keys end when their signal is aborted. */
export function createFetchers(database: Queryable) {
  const on = <F extends (database: Queryable, ...rest: never[]) => unknown>(fetch: F) =>
    ((...rest: never[]) => fetch(database, ...rest)) as Rest<F>
  const ofMany =
    <Key, V>(fetch: Fetch<Key, V>) =>
    (keys: readonly Key[], signal?: AbortSignal) =>
      signal ? readCancellably(database, signal, (its) => fetch(its, keys)) : fetch(database, keys)
  return {
    users: ofMany(fetchUsers),
    products: ofMany(fetchProducts),
    orders: ofMany(fetchOrders),
    userPages: ofMany(fetchUserPages),
    productPages: ofMany(fetchProductPages),
    userOrderPages: ofMany(fetchUserOrderPages),
    userCounts: ofMany(fetchUserCounts),
    productCounts: ofMany(fetchProductCounts),
    userOrderCounts: ofMany(fetchUserOrderCounts),
    totals: ofMany(fetchTotals),
    newestIds: on(fetchNewestIds),
    newestBuyers: on(fetchNewestBuyers),
    categories: on(fetchCategories),
  }
}
