import type { Page, PageQuery } from 'cached-resolvers'
import type { CacheCounts, Context } from '../../../../src/graphql/context.js'
import { Cursors } from '../../../../src/graphql/cursor.js'
import type { Viewer } from '../../../../src/platform/auth/viewer.js'
import type { Order } from '../../../../src/shop/orders/order.js'
import type { Product } from '../../../../src/shop/products/product.js'
import type { Totals } from '../../../../src/shop/stats/totals.js'
import type { User } from '../../../../src/shop/users/user.js'
import { type ListKey, ListLoader } from '../../src/loaders/list-loader.js'
import { Loader } from '../../src/loaders/loader.js'
import type { Suggest } from './inputs.js'
import { Random, seedOf } from './random.js'
import { awkwardTexts, writableTexts } from './texts.js'

export interface ShopOptions {
  seed: number
  viewer: Viewer
  /** Share of the values that are at hand at once; the others are on their way */
  near: number
  /** Share of the loads that fail */
  failing: number
  /** Whether rows may hold what the schema has no place for */
  damaged: boolean
}

/** What the resolvers of the shop ask, without a database. */
export function createShopContext(options: ShopOptions): Context {
  const { users, products, orders } = options.damaged ? damagedRows : soundRows
  const byId = <V>(name: string, rows: ReadonlyMap<string, V>) =>
    new Loader<string, V | null>(answering(options, name, (id: string) => rows.get(id) ?? null))
  const lists = (name: string, idsOf: (list: string | null) => readonly string[]) => {
    const answer = (key: ListKey) => ('count' in key ? idsOf(key.list).length : pageOf(idsOf(key.list), key))
    return new ListLoader(answering<ListKey, Page | number>(options, name, answer))
  }
  const loaders = {
    users: byId<User>('users', users),
    products: byId<Product>('products', products),
    orders: byId<Order>('orders', orders),
    totals: byId<Totals>('totals', new Map([['all', totals]])),
    // The last is gone between the reading of a page and its own.
    userLists: lists('userLists', () => descending([...users.keys(), 'user_90'])),
    productLists: lists('productLists', (category) =>
      descending([...products.values()].filter((its) => category === null || its.category === category).map(({ id }) => id)),
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

/** Ids, cursors and sizes of the shop, and some that it does not have. */
export const suggestForShop: Suggest = (random, { field, name }, typeName) => {
  if (name === 'first' || name === 'last') return random.chance(0.02) ? random.pick([101, -1]) : random.below(5)
  if (name === 'after' || name === 'before') return random.chance(0.03) ? 'no cursor' : cursorFor(field, random)
  if (name === 'category') return random.pick(categories)
  if (typeName !== 'ID' || random.chance(0.05)) return undefined
  const kind = ['user', 'product', 'order'].includes(field) ? field : random.pick(['user', 'product', 'order'])
  return random.chance(0.05) ? `${kind}_0` : `${kind}_${1 + random.below(13)}`
}

/** A list's that has the field's name; the field may mean another. */
function cursorFor(field: string, random: Random): string {
  const list = field === 'orders' ? `orders of user_${1 + random.below(2)}` : field
  return new Cursors(list).encode(`user_${1 + random.below(12)}`)
}

/** Not everything that fails is waited for. */
function failure(message: string): Promise<never> {
  const its = Promise.reject(new Error(message))
  its.catch(() => undefined)
  return its
}

/** At once or later, or never: the same for the same key. */
function answering<Key, V>({ seed, near, failing }: ShopOptions, loader: string, answer: (key: Key) => V) {
  const textOf = (key: Key) => (typeof key === 'string' ? key : JSON.stringify(key))
  const randomFor = (key: Key) => new Random(seedOf(seed, `${loader} ${textOf(key)}`))
  const fails = (key: Key) => randomFor(key).chance(failing)
  return {
    near: (key: Key) => (randomFor(key).chance(near) && !fails(key) ? answer(key) : undefined),
    batch: async (keys: readonly Key[]) => keys.map((key) => (fails(key) ? failure(`${textOf(key)} fails`) : answer(key))),
    textOf,
    caller: () => patient,
  }
}

const patient = { gaveUp: undefined, whenGivingUp: () => () => undefined }

function pageOf(ids: readonly string[], { after, before, size, from }: PageQuery): Page {
  const numberOf = (id: string) => Number(id.slice(id.lastIndexOf('_') + 1))
  const range = ids.filter((id) => (after === null || numberOf(id) < after) && (before === null || numberOf(id) > before))
  const page = from === 'start' ? range.slice(0, size) : range.slice(Math.max(0, range.length - size))
  return { ids: page, hasNext: ids.at(-1) !== page.at(-1), hasPrevious: ids[0] !== page[0] }
}

function descending(ids: readonly string[]): readonly string[] {
  return ids.toReversed()
}

const categories = [...writableTexts.slice(0, 5), 'none']

const soundRows = rows((_, sound) => sound)
/** About one value in ten is one that its field refuses, or takes in its own way. */
const damagedRows = rows((place, sound) => {
  const random = new Random(seedOf(1, place))
  return random.chance(0.1)
    ? random.pick<unknown>([null, undefined, Number.NaN, Number.POSITIVE_INFINITY, {}, [], '7', 1.5, true])
    : sound
})

/** `alter` may put another value in a place, such as `user_1.name`. */
function rows(alter: (place: string, sound: unknown) => unknown) {
  const table = <V extends { id: string }>(size: number, row: (index: number) => V) =>
    new Map(
      Array.from({ length: size }, (_, index) => row(index)).map((its) => {
        const values = Object.entries(its).map(([name, value]) => [
          name,
          name === 'id' ? value : alter(`${its.id}.${name}`, value),
        ])
        return [its.id, Object.fromEntries(values) as V]
      }),
    )
  const text = (index: number) => awkwardTexts[index % awkwardTexts.length] as string
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
  return Object.fromEntries(names.map((name, place) => [name, index * place])) as unknown as CacheCounts
}
