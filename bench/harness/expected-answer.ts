import { idNumber, publicId } from 'cached-resolvers'
import type { Database } from '../../src/platform/database/connection.js'
import { type Order, orders as orderEntity } from '../../src/shop/orders/order.js'
import { type Product, products as productEntity } from '../../src/shop/products/product.js'
import { users as userEntity } from '../../src/shop/users/user.js'
import type { QueryName } from './queries.js'

const { fetch: fetchOrders } = orderEntity
const { fetch: fetchProducts } = productEntity
const { fetch: fetchUsers } = userEntity

/** The answer that every server must give, computed from the database; `withStock` as in requestBody() */
export async function expectedAnswer(
  database: Database,
  query: QueryName,
  id: string,
  { withStock = false } = {},
): Promise<string> {
  return JSON.stringify({ data: await answers[query](database, id, withStock ? withStockFields : productFields) })
}

type ProductFields = (product: Product | undefined) => object | null

const answers: Record<QueryName, (database: Database, id: string, fields: ProductFields) => Promise<object>> = {
  Q1: async (database, id, fields) => ({ product: fields((await fetchProducts(database, [id])).get(id)) }),

  Q2: async (database, id, fields) => {
    const order = (await fetchOrders(database, [id])).get(id)
    if (!order) return { order: null }
    const user = (await fetchUsers(database, [order.userId])).get(order.userId)
    const products = await fetchProducts(database, order.productIds)
    return {
      order: {
        ...{ id: order.id, total: order.total, createdAt: order.createdAt },
        user: user ? { id: user.id, name: user.name } : null,
        products: productsOf(order, products, fields),
      },
    }
  },

  Q3: async (database, id, fields) => {
    const user = (await fetchUsers(database, [id])).get(id)
    if (!user) return { user: null }
    const rows = await database<{ id: number }[]>`
      select id from orders where user_id = ${idNumber('user', id)} order by id desc limit 20`
    const orderIds = rows.map((row) => publicId('order', row.id))
    const orders = await fetchOrders(database, orderIds)
    const products = await fetchProducts(
      database,
      [...orders.values()].flatMap(({ productIds }) => productIds),
    )
    const nodes = orderIds.map((orderId) => {
      const order = orders.get(orderId) as Order
      return { id: order.id, total: order.total, products: productsOf(order, products, fields) }
    })
    return { user: { id: user.id, name: user.name, orders: { nodes } } }
  },
}

function productsOf({ productIds }: Order, products: ReadonlyMap<string, Product>, fields: ProductFields) {
  return productIds.map((id) => fields(products.get(id)))
}

function productFields(product: Product | undefined) {
  return product ? { id: product.id, name: product.name, price: product.price } : null
}

function withStockFields(product: Product | undefined) {
  return product ? { ...productFields(product), stock: product.stock } : null
}
