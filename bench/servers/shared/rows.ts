import { connect } from '../../../src/database/connection.js'
import { fetchOrders } from '../../../src/fetchers/orders.js'
import { fetchUserOrderPages } from '../../../src/fetchers/pages.js'
import { fetchProducts } from '../../../src/fetchers/products.js'
import { fetchUsers } from '../../../src/fetchers/users.js'
import type { Order } from '../../../src/shop/orders/order.js'
import type { Product } from '../../../src/shop/products/product.js'
import type { User } from '../../../src/shop/users/user.js'
import { databaseUrl } from './environment.js'

export type { Order, Product, User }

/** Finds many with one SQL statement. What does not exist is absent from the map. */
export type FetchRows<V> = (ids: readonly string[]) => Promise<ReadonlyMap<string, V>>

const database = connect({ url: databaseUrl, maxConnections: 10, statementTimeoutMs: 5_000, connectTimeoutMs: 5_000 })

/** The statements are those of the shop itself, so that a miss costs every server the same. */
export const products: FetchRows<Product> = (ids) => fetchProducts(database, ids)
export const users: FetchRows<User> = (ids) => fetchUsers(database, ids)
export const orders: FetchRows<Order> = (ids) => fetchOrders(database, ids)

/** By user: the ids of the newest orders. */
export function userOrderIds(first: number): FetchRows<string[]> {
  return async (userIds) => {
    const queries = userIds.map((list) => ({ list, after: null, before: null, size: first, from: 'start' as const }))
    const pages = await fetchUserOrderPages(database, queries)
    return new Map(queries.map((query) => [query.list, pages.get(query)?.ids ?? []]))
  }
}
