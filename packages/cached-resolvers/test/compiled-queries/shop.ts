import type { Page, PageQuery } from 'cached-resolvers'
import type { CacheCounts, Context } from '../../../../src/graphql/context.js'
import { Cursors } from '../../../../src/graphql/cursor.js'
import type { Viewer } from '../../../../src/platform/auth/viewer.js'
import type { Order } from '../../../../src/shop/orders/order.js'
import type { Product } from '../../../../src/shop/products/product.js'
import type { Totals } from '../../../../src/shop/stats/totals.js'
import type { User } from '../../../../src/shop/users/user.js'
import { ListLoader } from '../../src/loaders/list-loader.js'
import { Loader } from '../../src/loaders/loader.js'
import type { ListKey } from '../../src/loaders/page.js'
import type { SuggestValue } from './inputs.js'
import { Random, seedOf } from './random.js'
import { documentStrings, trickyStrings } from './strings.js'

export interface ShopOptions {
  seed: number
  viewer: Viewer
  /** Share of the values that are returned synchronously; the others are promises */
  immediateShare: number
  /** Share of the loads that fail */
  failureShare: number
  /** Whether rows may contain values that the schema does not allow */
  invalidRows: boolean
}

/** A context for the resolvers of the shop, without a database. */
export function createShopContext(options: ShopOptions): Context {
  const { users, products, orders } = options.invalidRows ? invalidRows : validRows
  const byId = <V>(name: string, rows: ReadonlyMap<string, V>) =>
    new Loader<string, V | null>(loaderOptions(options, name, (id: string) => rows.get(id) ?? null))
  const lists = (name: string, idsOf: (list: string | null) => readonly string[]) => {
    const answer = (key: ListKey) => ('count' in key ? idsOf(key.list).length : pageOf(idsOf(key.list), key))
    return new ListLoader(loaderOptions<ListKey, Page | number>(options, name, answer))
  }
  const loaders = {
    users: byId<User>('users', users),
    products: byId<Product>('products', products),
    orders: byId<Order>('orders', orders),
    totals: byId<Totals>('totals', new Map([['all', totals]])),
    // The last user is deleted after the page was read.
    userLists: lists('userLists', () => descending([...users.keys(), 'user_90'])),
    productLists: lists('productLists', (category) =>
      descending(
        [...products.values()].filter((product) => category === null || product.category === category).map(({ id }) => id),
      ),
    ),
    userOrderLists: lists('userOrderLists', (user) =>
      descending([...orders.values()].filter(({ userId }) => userId === user).map(({ id }) => id)),
    ),
    ofKind: (kind: string) => new Map<string, unknown>(Object.entries(ofKinds())).get(kind),
  }
  const ofKinds = () => ({ user: loaders.users, product: loaders.products, order: loaders.orders })
  const cacheAdmin = {
    counts: async () => new Map(namespaces.map((name, index) => [name, counts(index)])),
    info: async () => cacheInfo,
  }
  return { requestId: 'request', viewer: options.viewer, loaders, cacheAdmin } as unknown as Context
}

/** Ids, cursors and page sizes of the shop, and some invalid ones. */
export const suggestForShop: SuggestValue = (random, { field, name }, typeName) => {
  if (name === 'first' || name === 'last') return random.chance(0.02) ? random.pick([101, -1]) : random.below(5)
  if (name === 'after' || name === 'before') return random.chance(0.03) ? 'no cursor' : cursorFor(field, random)
  if (name === 'category') return random.pick(categories)
  if (typeName !== 'ID' || random.chance(0.05)) return undefined
  const kind = ['user', 'product', 'order'].includes(field) ? field : random.pick(['user', 'product', 'order'])
  return random.chance(0.05) ? `${kind}_0` : `${kind}_${1 + random.below(13)}`
}

/** A cursor of the list that has the field's name, which may be another list than the field's. */
function cursorFor(field: string, random: Random): string {
  const list = field === 'orders' ? `orders of user_${1 + random.below(2)}` : field
  return new Cursors(list).encode({ ids: [`user_${1 + random.below(12)}`] }, 0)
}

/** A rejection that counts as handled: not every failed load is awaited. */
function failure(message: string): Promise<never> {
  const rejection = Promise.reject(new Error(message))
  rejection.catch(() => undefined)
  return rejection
}

/** Options of a loader whose keys load synchronously, asynchronously or fail: deterministic for each key. */
function loaderOptions<Key, V>({ seed, immediateShare, failureShare }: ShopOptions, loader: string, answer: (key: Key) => V) {
  const cacheKeyOf = (key: Key) => (typeof key === 'string' ? key : JSON.stringify(key))
  const randomFor = (key: Key) => new Random(seedOf(seed, `${loader} ${cacheKeyOf(key)}`))
  const fails = (key: Key) => randomFor(key).chance(failureShare)
  return {
    readNear: (key: Key) => (randomFor(key).chance(immediateShare) && !fails(key) ? answer(key) : undefined),
    batch: async (keys: readonly Key[]) => keys.map((key) => (fails(key) ? failure(`${cacheKeyOf(key)} fails`) : answer(key))),
    cacheKeyOf,
    cancellation: () => neverCancelled,
  }
}

const neverCancelled = { reason: undefined, onCancel: () => () => undefined }

function pageOf(ids: readonly string[], { after, before, size, from }: PageQuery): Page {
  const numberOf = (id: string) => Number(id.slice(id.lastIndexOf('_') + 1))
  const range = ids.filter((id) => (after === null || numberOf(id) < after) && (before === null || numberOf(id) > before))
  const page = from === 'start' ? range.slice(0, size) : range.slice(Math.max(0, range.length - size))
  return { ids: page, hasNext: ids.at(-1) !== page.at(-1), hasPrevious: ids[0] !== page[0] }
}

function descending(ids: readonly string[]): readonly string[] {
  return ids.toReversed()
}

const categories = [...documentStrings.slice(0, 5), 'none']

const validRows = rows((_, valid) => valid)
/** About one value in ten is rejected by its field's type, or serialized to another value. */
const invalidRows = rows((path, valid) => {
  const random = new Random(seedOf(1, path))
  return random.chance(0.1)
    ? random.pick<unknown>([null, undefined, Number.NaN, Number.POSITIVE_INFINITY, {}, [], '7', 1.5, true])
    : valid
})

/** `alter` may replace the value of a path such as `user_1.name`. */
function rows(alter: (path: string, valid: unknown) => unknown) {
  const table = <V extends { id: string }>(size: number, row: (index: number) => V) =>
    new Map(
      Array.from({ length: size }, (_, index) => row(index)).map((created) => {
        const values = Object.entries(created).map(([name, value]) => [
          name,
          name === 'id' ? value : alter(`${created.id}.${name}`, value),
        ])
        return [created.id, Object.fromEntries(values) as V]
      }),
    )
  const text = (index: number) => trickyStrings[index % trickyStrings.length] as string
  const createdAt = (index: number) => `2026-01-${String(index + 1).padStart(2, '0')}T12:00:00.000Z`
  return {
    users: table<User>(11, (index) => ({
      id: `user_${index + 1}`,
      email: `${index}@example.com`,
      name: text(index),
      createdAt: createdAt(index),
    })),
    products: table<Product>(11, (index) => ({
      id: `product_${index + 1}`,
      name: text(index + 3),
      price: [0, -0, 0.1, 1e21, 1e-7, 5e-324, 99.99][index % 7] as number,
      stock: index === 0 ? -0 : index,
      category: categories[index % 3] as string,
    })),
    orders: table<Order>(11, (index) => ({
      id: `order_${index + 1}`,
      userId: `user_${1 + (index % 4) * (index % 7)}`,
      productIds: Array.from({ length: index % 4 }, (_, unit) => `product_${1 + ((index * unit) % 13)}`),
      total: index * 1.1,
      createdAt: createdAt(index),
    })),
  }
}

const totals: Totals = { users: 11, products: 11, orders: 11, revenue: 1e21, asOf: '2026-01-31T12:00:00.000Z' }
const namespaces = ['users', 'products', 'orders', 'product-lists', 'user-orders', 'stats']
const cacheInfo = { backend: 'memory', available: true, version: null, usedMemoryBytes: 1e9, uptimeSeconds: null }

function counts(index: number) {
  const names = [
    ...['hits', 'negativeHits', 'staleHits', 'misses', 'nearHits', 'coalesced', 'leaseWaits', 'shed', 'fills', 'invalidations'],
    ...['errors', 'ttlSeconds', 'unavailable', 'refused', 'corrupt', 'failedRefills', 'audited', 'wrong'],
  ]
  return Object.fromEntries(names.map((name, position) => [name, index * position])) as unknown as CacheCounts
}
