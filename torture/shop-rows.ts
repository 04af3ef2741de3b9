import type { ListFilter, Page, PageQuery, SortValue } from 'cached-resolvers'
import type { Database } from '../src/platform/database/connection.js'
import type { Order } from '../src/shop/orders/order.js'
import type { Product } from '../src/shop/products/product.js'
import type { User } from '../src/shop/users/user.js'
import type { ListPage } from './lists.js'
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

/** An item of a list: its id, and the value that the list is sorted by */
interface ListItem {
  id: string
  value: SortValue
}

/** All items of a list that match the filter of the query, in the order of the list */
export function listItems(rows: ShopRows, { kind, page: { list, sort, filter } }: ListPage): ListItem[] {
  const inList =
    kind === 'orders'
      ? [...rows.orders.values()].filter(({ userId }) => userId === list).map(({ id, total }) => ({ id, total }))
      : [...rows.products.values()].filter((product) => (list === null || product.category === list) && matches(product, filter))
  const items = inList.map((row) => ({ id: row.id, value: sortValueOf(row, sort) }))
  return items.sort((a, b) => comparePositions(a, b, sort))
}

function matches({ stock, price }: Product, { inStock, price: range }: ListFilter = {}): boolean {
  const cents = Math.round(price * 100)
  const isInRange =
    typeof range !== 'object' || ((range.min === null || cents >= range.min) && (range.max === null || cents <= range.max))
  return isInRange && (inStock === undefined || stock > 0 === inStock)
}

function sortValueOf(row: { id: string; price?: number; name?: string; total?: number }, sort: string | undefined): SortValue {
  if (sort === 'NAME_ASC') return row.name ?? ''
  if (sort === 'PRICE_ASC' || sort === 'PRICE_DESC') return Math.round((row.price ?? 0) * 100)
  return sort === 'TOTAL_DESC' ? Math.round((row.total ?? 0) * 100) : 0
}

/** Negative if `a` comes before `b` in a list with this sort */
function comparePositions(a: ListItem, b: ListItem, sort: string | undefined): number {
  const isAscending = sort?.endsWith('_ASC') || sort === 'OLDEST'
  const byValue = typeof a.value === 'string' ? collator.compare(a.value, String(b.value)) : Number(a.value) - Number(b.value)
  return (isAscending ? 1 : -1) * (byValue || numberOf(a.id) - numberOf(b.id))
}

/** The root collation of ICU, which Postgres calls "und-x-icu" */
const collator = new Intl.Collator('und')

function numberOf(id: string): number {
  return Number(id.slice(id.lastIndexOf('_') + 1))
}

/** The page of a list that the cache must hold. `items` is the whole list. */
export function pageOf(
  items: readonly ListItem[],
  { after, before, afterValue, beforeValue, size, from, sort }: PageQuery,
): Page {
  const start = after === null ? undefined : { id: `_${after}`, value: afterValue ?? 0 }
  const end = before === null ? undefined : { id: `_${before}`, value: beforeValue ?? 0 }
  const isAfter = (item: ListItem) => start === undefined || comparePositions(item, start, sort) > 0
  const isBefore = (item: ListItem) => end === undefined || comparePositions(item, end, sort) < 0
  const range = items.filter((item) => isAfter(item) && isBefore(item))
  const page = from === 'start' ? range.slice(0, size) : size === 0 ? [] : range.slice(-size)
  const isCut = range.length > size
  const anyBefore = items.some((item) => !isAfter(item))
  const anyAfter = items.some((item) => !isBefore(item))
  const hasValues = sort !== undefined && sort !== 'OLDEST'
  const next = hasValues && isCut ? (from === 'start' ? range[size] : range.at(-size - 1))?.value : undefined
  return {
    ids: page.map(({ id }) => id),
    ...(hasValues && page.length > 0 && { values: page.map(({ value }) => value) }),
    ...(typeof next === 'number' && { next }),
    hasPrevious: anyBefore || (from === 'end' && isCut),
    hasNext: anyAfter || (from === 'start' && isCut),
  }
}
