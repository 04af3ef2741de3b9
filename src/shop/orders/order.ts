import { defineEntity, type ListQuery, type Page, type PageQuery } from 'cached-resolvers'
import type { Queryable } from '../../database/connection.js'
import { freshFor } from '../freshness.js'
import { idNumber, publicId } from '../ids.js'
import { fetchNewestIds, fetchPages } from '../pages.js'

export interface Order {
  id: string
  userId: string
  /** One for each unit bought, in the order given */
  productIds: string[]
  /** Major units, exact to two decimals */
  total: number
  createdAt: string
}

/** Change often. Every order of a user invalidates the lists of that user. */
export const orders = defineEntity({
  name: 'orders',
  kind: 'order',
  table: 'orders',
  parts: { order_items: 'order_id' },
  live: { createdFor: { column: 'user_id', kind: 'user' } },
  fresh: freshFor(5),
  fetch: fetchOrders,
  newest: (database: Queryable, limit: number) => fetchNewestIds(database, 'order', 'orders', limit),
  lists: {
    userOrderLists: {
      name: 'user-orders',
      key: 'user_id',
      keyKind: 'user',
      fresh: freshFor(3),
      pages: fetchUserOrderPages,
      counts: fetchUserOrderCounts,
      newest: fetchNewestBuyers,
    },
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
    productIds: product_ids.map((number) => publicId('product', Number(number))),
    total: total_cents / 100,
    createdAt: created_at.toISOString(),
  }
}

/** Pages of the orders of the user whose id `list` is. */
function fetchUserOrderPages(database: Queryable, queries: readonly PageQuery[]): Promise<Map<PageQuery, Page>> {
  const byNumber = queries.map((query) => ({ ...query, list: String(idNumber('user', query.list ?? '') ?? 0) }))
  return fetchPages(
    database,
    'order',
    queries,
    [{ rows: database`(select * from orders where user_id = q.list::bigint) r`, when: database`true` }],
    byNumber,
  )
}

/** Of the orders of the user whose id `list` is. */
async function fetchUserOrderCounts(database: Queryable, queries: readonly ListQuery[]): Promise<Map<ListQuery, number>> {
  const rows = await database<{ count: number }[]>`
    select (select count(*) from orders where user_id = asked.id) as count
    from unnest(${queries.map(({ list }) => idNumber('user', list ?? ''))}::bigint[]) with ordinality as asked (id, position)
    order by position`
  return new Map(queries.map((query, index) => [query, rows[index]?.count ?? 0]))
}

/** The users of the newest orders, each once. */
async function fetchNewestBuyers(database: Queryable, limit: number): Promise<string[]> {
  const rows = await database<{ user_id: number }[]>`
    select user_id from orders group by user_id order by max(id) desc limit ${limit}`
  return rows.map(({ user_id }) => publicId('user', user_id))
}
