import type { Redis } from 'ioredis'
import { decodeStored } from '../packages/cached-resolvers/src/cache/entry.js'
import { Keys } from '../packages/cached-resolvers/src/cache/key.js'
import { interpret, joinGenerations } from '../packages/cached-resolvers/src/cache/key-read.js'
import { type EntryId, type Namespace, namesInvalidating } from '../packages/cached-resolvers/src/cache/namespace.js'
import { orders } from '../src/shop/orders/order.js'
import { products } from '../src/shop/products/product.js'
import { totals, totalsId } from '../src/shop/stats/totals.js'
import { users } from '../src/shop/users/user.js'
import { type Difference, differenceOf } from './differences.js'
import { type ListPage, listEntry } from './lists.js'
import { scanKeys } from './scan.js'
import { listItems, pageOf, type ShopRows } from './shop-rows.js'

const [USERS, PRODUCTS, ORDERS, STATS] = [users.namespace, products.namespace, orders.namespace, totals.namespace]
const PRODUCT_LISTS = products.lists.productLists.namespace as Namespace<unknown>
const USER_ORDERS = orders.lists.userOrderLists.namespace as Namespace<unknown>

/** Reads every key with this prefix in Redis and compares what a reader would return with the rows of the database. */
export async function compareEntries(
  client: Redis,
  rows: ShopRows,
  pages: readonly ListPage[],
  prefix = 'ecommerce',
): Promise<{ compared: number; differences: Difference[] }> {
  const keys = new Keys(prefix, 'v1')
  const known = knownEntries(keys, rows, pages)
  const found = await scanKeys(client, `${prefix}:v1:*`)
  const texts = await readTexts(client, found)
  const live = [...texts].flatMap(([key, text]) => {
    const stored = decodeStored(text)
    const isGeneration = /^[\w-]{1,40}$/.test(text)
    return stored.state !== 'entry' || isGeneration ? [] : [{ key, stored }]
  })
  let compared = 0
  const differences = live.flatMap(({ key, stored }): Difference[] => {
    const namespace = namespaceOf(key)
    const row = known.get(key) ?? deletedRow(namespace)
    const generations = generationsOf(keys, namespace, row?.id, texts)
    const lookup = interpret(namespace, { stored, generations, generation: joinGenerations(generations) }, Date.now())
    if (lookup.state === 'miss') return []
    compared += 1
    const cached = lookup.state === 'negative' ? null : lookup.value
    if (!row) return [{ where: 'Redis', key, cached, expected: 'no entry: this list was never requested' }]
    return differenceOf('Redis', key, namespace === STATS ? withoutTime(cached) : cached, row.expected)
  })
  return { compared, differences }
}

interface KnownEntry {
  id: EntryId
  expected: unknown
}

function knownEntries(keys: Keys, rows: ShopRows, pages: readonly ListPage[]): Map<string, KnownEntry> {
  const known = new Map<string, KnownEntry>()
  const add = (namespace: Namespace<unknown>, id: EntryId, expected: unknown) =>
    known.set(keys.entry(namespace, id), { id, expected })
  for (const [id, user] of rows.users) add(USERS, id, user)
  for (const [id, product] of rows.products) add(PRODUCTS, id, product)
  for (const [id, order] of rows.orders) add(ORDERS, id, order)
  for (const { kind, page } of pages) {
    const namespace = kind === 'products' ? PRODUCT_LISTS : USER_ORDERS
    const items = listItems(rows, { kind, page })
    const { list, filter } = page
    add(namespace, listEntry(kind, page), pageOf(items, page))
    add(namespace, listEntry(kind, { list, count: true, ...(filter && { filter }) }), items.length)
  }
  add(STATS, totalsId, totalsOf(rows))
  return known
}

function totalsOf({ users, products, orders }: ShopRows) {
  const cents = [...orders.values()].reduce((sum, { total }) => sum + Math.round(total * 100), 0)
  return { users: users.size, products: products.size, orders: orders.size, revenue: cents / 100 }
}

function withoutTime(totals: unknown): unknown {
  const { asOf, ...rest } = (totals ?? {}) as Record<string, unknown>
  return rest
}

/** A deleted row may have a negative entry. A list that was never requested must have no entry. */
function deletedRow(namespace: Namespace<unknown>): KnownEntry | undefined {
  return namespace === USERS || namespace === PRODUCTS || namespace === ORDERS ? { id: '', expected: null } : undefined
}

/** Keys: ecommerce:v1:<namespace>:<id>, or ecommerce:v1:<namespace>:<list>:<page>. */
function namespaceOf(key: string): Namespace<unknown> {
  const name = key.split(':')[2]
  return [USERS, PRODUCTS, ORDERS, PRODUCT_LISTS, USER_ORDERS].find((namespace) => namespace.name === name) ?? STATS
}

function generationsOf(keys: Keys, namespace: Namespace<unknown>, id: EntryId | undefined, texts: ReadonlyMap<string, string>) {
  const names = typeof id === 'object' ? namesInvalidating(id) : []
  const generationKeys = [keys.namespaceGeneration(namespace), ...names.map((name) => keys.listGeneration(namespace, name))]
  return generationKeys.map((key) => ({ key, text: texts.get(key) ?? null }))
}

/** Keys of other types than string are misses to a reader, and are left out. */
async function readTexts(client: Redis, found: readonly string[]): Promise<Map<string, string>> {
  const texts = found.length > 0 ? await client.mget([...found]) : []
  return new Map(found.flatMap((key, index) => (texts[index] == null ? [] : [[key, texts[index] as string] as const])))
}
