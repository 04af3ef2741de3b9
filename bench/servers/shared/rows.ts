import { idNumber } from 'cached-resolvers'
import { connect } from '../../../src/platform/database/connection.js'
import { type Order, orders as orderEntity } from '../../../src/shop/orders/order.js'
import { type Product, products as productEntity } from '../../../src/shop/products/product.js'
import { type User, users as userEntity } from '../../../src/shop/users/user.js'
import { databaseUrl } from './environment.js'

export type { Order, Product, User }

/** Finds many rows with one SQL statement. Ids that do not exist are absent from the map. */
export type FetchRows<V> = (ids: readonly string[]) => Promise<ReadonlyMap<string, V>>

const database = connect({ url: databaseUrl, maxConnections: 10, statementTimeoutMs: 5_000, connectTimeoutMs: 5_000 })

/** The statements of the shop itself, so that a miss costs every server the same */
export const products: FetchRows<Product> = (ids) => productEntity.fetch(database, ids)
export const users: FetchRows<User> = (ids) => userEntity.fetch(database, ids)
export const orders: FetchRows<Order> = (ids) => orderEntity.fetch(database, ids)

/** Sets the stock of a product with one SQL statement. Returns the row as it is then; null if there is none. */
export async function updateStock(id: string, stock: number): Promise<Product | null> {
  const [row] = await database<{ name: string; price_cents: number; stock: number; category: string }[]>`
    update products set stock = ${stock} where id = ${idNumber('product', id)} returning name, price_cents, stock, category`
  return row ? { id, name: row.name, price: row.price_cents / 100, stock: row.stock, category: row.category } : null
}

/** The ids of the newest orders, by user id */
export function userOrderIds(first: number): FetchRows<string[]> {
  return async (userIds) => {
    const queries = userIds.map((list) => ({ list, after: null, before: null, size: first, from: 'start' as const }))
    const pages = await orderEntity.lists.userOrderLists.pages(database, queries)
    return new Map(queries.map((query) => [query.list, pages.get(query)?.ids ?? []]))
  }
}
