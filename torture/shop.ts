import { publicId } from 'cached-resolvers'
import type { Database } from '../src/platform/database/connection.js'
import type { Ledger } from './ledger.js'

/** A shop so small that every row is hot. Rows created later have ids from `firstFreeId`. */
export const userCount = 50
export const productCount = 40
export const orderCount = 30
export const firstFreeId = 1_000

export const categories = ['Home', 'Books', 'Games', 'Garden', 'Music', 'Sports', 'Tools', 'Toys'] as const

/** Rows that are deleted and created again with the same id */
export const recreatedProducts = range(1, 10)
export const recreatedUsers = range(41, userCount)
/** Products that are never ordered and whose stock one writer at a time changes, so that the stock can hold a version */
export const versionedStock = range(31, productCount)
export const orderedProducts = range(1, 30)
export const buyers = range(1, 40)

export const userCell = (id: number) => publicId('user', id)
export const productCell = (id: number) => publicId('product', id)
export const stockCell = (id: number) => `${publicId('product', id)}.stock`

/** A versioned row contains its version in its name, and a product also in its price. */
export const nameOf = (cell: string, version: number) => `${cell} v${version}`
/** Prices rise with the versions, so that products move between the bands of prices. */
export const centsOf = (version: number) => version * 61
export const versionOfPrice = (price: number) => Math.round(price * 100) / 61
export const versionIn = (name: string) => Number(/ v(\d+)$/.exec(name)?.[1] ?? Number.NaN)
export const emailOf = (id: number) => `user${id}@example.com`

/** Creates the rows and registers them in the ledger. */
export async function openShop(database: Database, ledger: Ledger): Promise<void> {
  await database`
    insert into users (id, email, name) select id, 'user' || id || '@example.com', 'user_' || id || ' v0'
    from generate_series(1, ${userCount}::int) id`
  await database`
    insert into products (id, name, price_cents, stock, category)
    select id, 'product_' || id || ' v0', 0, case when id > 30 then 0 else 100000 end,
      (${categories as unknown as string[]}::text[])[1 + id % ${categories.length}]
    from generate_series(1, ${productCount}::int) id`
  await database`
    insert into orders (id, user_id, total_cents) select id, 1 + id % 40, 300 from generate_series(1, ${orderCount}::int) id`
  await database`
    insert into order_items (order_id, position, product_id, price_cents)
    select id, position, 1 + (id * 7 + position * 11) % 40, 100
    from generate_series(1, ${orderCount}::int) id, generate_series(0, 2) position`
  for (const table of ['users', 'products', 'orders']) {
    await database`select setval(pg_get_serial_sequence(${table}, 'id')::regclass, ${firstFreeId})`
  }
  for (const id of range(1, userCount)) ledger.open(userCell(id))
  for (const id of range(1, productCount)) ledger.open(productCell(id))
  for (const id of versionedStock) ledger.open(stockCell(id))
}

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index)
}
