import { defineEntity, idNumber, publicId } from 'cached-resolvers'
import { newestOf, tableList } from 'cached-resolvers/postgres'
import type { Queryable } from '../../platform/database/connection.js'
import { freshForMinutes } from '../freshness.js'

export interface Order {
  id: string
  userId: string
  /** One entry per unit bought, in the order given */
  productIds: string[]
  /** In major currency units, exact to two decimals */
  total: number
  createdAt: string
}

/** How the orders of a user can be sorted. Equal totals are sorted by id. */
export const orderSorts = {
  OLDEST: { column: 'id', direction: 'asc' },
  TOTAL_DESC: { column: 'total_cents', direction: 'desc' },
} as const

/** Orders change often. Each new order invalidates the order lists of the user who placed it. */
export const orders = defineEntity({
  name: 'orders',
  kind: 'order',
  table: 'orders',
  parts: { order_items: 'order_id' },
  live: { createdFor: { column: 'user_id', kind: 'user' } },
  fresh: freshForMinutes(5),
  fetch: fetchOrders,
  newest: newestOf('orders', 'order'),
  lists: {
    userOrderLists: tableList('orders', 'order', {
      name: 'user-orders',
      // Version 1 could not be sorted.
      version: 2,
      key: 'user_id',
      keyKind: 'user',
      fresh: freshForMinutes(3),
      sorts: orderSorts,
    }),
  },
})

async function fetchOrders(database: Queryable, ids: readonly string[]): Promise<Map<string, Order>> {
  const rows = await database<OrderRow[]>`
    select id, user_id, total_cents, created_at,
      array(select product_id from order_items where order_id = orders.id order by position) as product_ids
    from orders where id = any(${ids.map((id) => idNumber('order', id))}::bigint[])`
  return new Map(rows.map((row) => [publicId('order', row.id), toOrder(row)]))
}

interface OrderRow {
  id: number
  user_id: number
  total_cents: number
  created_at: Date
  product_ids: number[]
}

function toOrder({ id, user_id, total_cents, created_at, product_ids }: OrderRow): Order {
  return {
    id: publicId('order', id),
    userId: publicId('user', user_id),
    productIds: product_ids.map((rowId) => publicId('product', Number(rowId))),
    total: total_cents / 100,
    createdAt: created_at.toISOString(),
  }
}
