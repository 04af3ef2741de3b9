import type { Page, PageQuery } from 'cached-resolvers'
import type { Database } from '../src/platform/database/connection.js'
import type { Order } from '../src/shop/orders/order.js'
import type { Product } from '../src/shop/products/product.js'
import type { User } from '../src/shop/users/user.js'
import { firstFreeId } from './shop.js'

/** All rows of the database, read without caches and without the shop's own statements. Newest first. */
export interface ShopRows {
  users: ReadonlyMap<string, User>
  products: ReadonlyMap<string, Product>
  orders: ReadonlyMap<string, Order>
}

export async function readShopRows(database: Database): Promise<ShopRows> {
  return database.begin('isolation level repeatable read', async (sql) => {
    const users = await sql`select * from users order by id desc`
    const products = await sql`select * from products order by id desc`
    const orders = await sql`select * from orders order by id desc`
    const items = await sql`select order_id, product_id from order_items order by order_id, position`
    const itemsOf = productIdsByOrder(items)
    return {
      users: byId(
        users.map((row) => ({ ...pick(row, 'email', 'name'), id: `user_${row.id}`, createdAt: row.created_at.toISOString() })),
      ),
      products: byId(
        products.map((row) => ({
          ...pick(row, 'name', 'stock', 'category'),
          ...{ id: `product_${row.id}`, price: row.price_cents / 100 },
        })),
      ),
      orders: byId(
        orders.map((row) => ({
          ...{ id: `order_${row.id}`, userId: `user_${row.user_id}`, total: row.total_cents / 100 },
          productIds: itemsOf.get(row.id) ?? [],
          createdAt: row.created_at.toISOString(),
        })),
      ),
    }
  })
}

function productIdsByOrder(items: readonly Record<string, number>[]): Map<number, string[]> {
  const byOrder = new Map<number, string[]>()
  for (const { order_id, product_id } of items as { order_id: number; product_id: number }[]) {
    byOrder.set(order_id, [...(byOrder.get(order_id) ?? []), `product_${product_id}`])
  }
  return byOrder
}

function pick(row: Record<string, unknown>, ...names: string[]): Record<string, unknown> {
  return Object.fromEntries(names.map((name) => [name, row[name]]))
}

function byId<Row extends { id: string }>(rows: { id: string }[]): Map<string, Row> {
  return new Map(rows.map((row) => [row.id, row as Row]))
}

/** Ids of deleted rows: their absence may be cached. */
export async function readDeletedIds(database: Database, { users, products, orders }: ShopRows): Promise<string[]> {
  const ids = await database<{ id: string }[]>`
    select kind || '_' || id as id
    from (values ('user', 'users'), ('product', 'products'), ('order', 'orders')) as kinds (kind, name),
      generate_series(1, pg_sequence_last_value(pg_get_serial_sequence(name, 'id')::regclass)) id
    where id <= 60 or id > ${firstFreeId}`
  return ids.map(({ id }) => id).filter((id) => !users.has(id) && !products.has(id) && !orders.has(id))
}

/** The ids of a whole list, newest first. */
export function listIds(rows: ShopRows, kind: 'products' | 'orders', list: string | null): string[] {
  if (kind === 'orders') return [...rows.orders.values()].filter(({ userId }) => userId === list).map(({ id }) => id)
  return [...rows.products.values()].filter(({ category }) => list === null || category === list).map(({ id }) => id)
}

/** The page of a list that a server must answer with */
export function pageOf(ids: readonly string[], { after, before, size, from }: Omit<PageQuery, 'list'>): Page {
  const position = (id: string) => Number(id.slice(id.lastIndexOf('_') + 1))
  const range = ids.filter((id) => (after === null || position(id) < after) && (before === null || position(id) > before))
  const page = from === 'start' ? range.slice(0, size) : size === 0 ? [] : range.slice(-size)
  const isCut = range.length > size
  const anyAbove = after !== null && ids.some((id) => position(id) >= after)
  const anyBelow = before !== null && ids.some((id) => position(id) <= before)
  return from === 'start'
    ? { ids: page, hasPrevious: anyAbove, hasNext: isCut || anyBelow }
    : { ids: page, hasPrevious: isCut || anyAbove, hasNext: anyBelow }
}
