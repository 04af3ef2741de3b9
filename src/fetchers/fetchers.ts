import type { Queryable } from '../database/connection.js'
import { fetchProductCounts, fetchTotals, fetchUserCounts, fetchUserOrderCounts } from './counts.js'
import { fetchCategories, fetchNewestBuyers, fetchNewestIds } from './newest.js'
import { fetchOrders } from './orders.js'
import { fetchProductPages, fetchUserOrderPages, fetchUserPages } from './pages.js'
import { fetchProducts } from './products.js'
import { fetchUsers } from './users.js'

type Rest<F> = F extends (database: Queryable, ...rest: infer R) => infer V ? (...rest: R) => V : never

/** Every read of the shop, on one database. */
export function createFetchers(database: Queryable) {
  const on = <F extends (database: Queryable, ...rest: never[]) => unknown>(fetch: F) =>
    ((...rest: never[]) => fetch(database, ...rest)) as Rest<F>
  return {
    users: on(fetchUsers),
    products: on(fetchProducts),
    orders: on(fetchOrders),
    userPages: on(fetchUserPages),
    productPages: on(fetchProductPages),
    userOrderPages: on(fetchUserOrderPages),
    userCounts: on(fetchUserCounts),
    productCounts: on(fetchProductCounts),
    userOrderCounts: on(fetchUserOrderCounts),
    totals: on(fetchTotals),
    newestIds: on(fetchNewestIds),
    newestBuyers: on(fetchNewestBuyers),
    categories: on(fetchCategories),
  }
}
