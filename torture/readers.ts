import { type ListFilter, publicId, type SortValue } from 'cached-resolvers'
import type { ApiProcess } from './api-process.js'
import { type ListPage, pageField } from './lists.js'
import { observe } from './observations.js'
import { pickWeighted, type Random } from './random.js'
import { request } from './requests.js'
import { categories, orderCount, productCount, userCount } from './shop.js'
import type { World } from './world.js'

interface Read {
  document: string
  /** Ids of the rows that are requested as a0, a1, ... */
  ids?: readonly string[]
}

const userFields = 'id name'
const productFields = 'id name price stock category'
const orderFields = `id total productIds user { ${userFields} } products { ${productFields} }`

/** Sends a random query to one process and checks the staleness of the answer. */
export async function readOnce(world: World, api: ApiProcess, random: Random): Promise<void> {
  const kind = pickWeighted(random, weights)
  const { document, ids } = reads[kind](random, world)
  world.operations.add(`read ${kind}`)
  const from = world.now()
  const data = await request(world, api, document)
  if (data) world.staleness.judge(observe(data, ids), from, world.now(), `${api.name} ${kind}`)
}

const weights = {
  rows: 6,
  order: 3,
  'orders of a user': 2,
  'products of a category': 3,
  'all products': 1,
  totals: 1,
  users: 0.5,
}

const reads: Record<keyof typeof weights, (random: Random, world: World) => Read> = {
  rows(random) {
    const ids = Array.from({ length: random.between(1, 4) }, () =>
      random.chance(0.5) ? publicId('user', random.skewed(1, userCount)) : publicId('product', random.skewed(1, productCount)),
    )
    const fields = ids.map((id, index) =>
      id.startsWith('user_')
        ? `a${index}: user(id: "${id}") { ${userFields} }`
        : `a${index}: product(id: "${id}") { ${productFields} }`,
    )
    return { document: `{ ${fields.join(' ')} }`, ids }
  },
  order: (random) => ({ document: `{ order(id: "${publicId('order', random.skewed(1, orderCount))}") { ${orderFields} } }` }),
  'orders of a user': (random, world) => list(world, orderPage(random), orderFields),
  'products of a category': (random, world) => list(world, productPage(random, random.pick(categories)), productFields),
  'all products': (random, world) => list(world, productPage(random, null), productFields),
  totals: () => ({ document: '{ stats { totalUsers totalProducts totalOrders revenue } }' }),
  users: (random) => ({ document: `{ users(first: ${random.between(3, 20)}) { nodes { ${userFields} } } }` }),
}

function list(world: World, page: ListPage, selection: string): Read {
  world.pages.add(page)
  return { document: `{ ${pageField(page, selection)} }` }
}

function orderPage(random: Random): ListPage {
  const sort = random.pick([undefined, undefined, 'OLDEST', 'TOTAL_DESC'])
  const page = {
    list: publicId('user', random.skewed(1, userCount)),
    ...(sort !== undefined && { sort }),
    after: null,
    before: null,
    size: random.pick([3, 10]),
    from: random.pick(['start', 'start', 'end'] as const),
  }
  return { kind: 'orders', page }
}

function productPage(random: Random, category: string | null): ListPage {
  const sort = random.pick([undefined, undefined, 'PRICE_ASC', 'PRICE_DESC', 'NAME_ASC'] as const)
  const filter = random.chance(0.4) ? random.pick(filters) : undefined
  const page = {
    list: category,
    ...(sort && { sort }),
    ...(filter && { filter }),
    after: random.pick([null, null, 30, 1_010]),
    before: random.pick([null, null, null, 5]),
    size: random.pick([3, 20]),
    from: random.pick(['start', 'start', 'end'] as const),
  }
  const pickValue = (id: number | null) => (id === null || sort === undefined ? undefined : random.pick(positions[sort]))
  const [afterValue, beforeValue] = [pickValue(page.after), pickValue(page.before)]
  return {
    kind: 'products',
    page: {
      ...page,
      ...(afterValue !== undefined && { afterValue }),
      ...(beforeValue !== undefined && { beforeValue }),
    },
  }
}

/** Some of the ranges have bounds that are cached, some do not. */
const filters: readonly ListFilter[] = [
  { inStock: true },
  { inStock: false },
  { price: { min: null, max: 2_000 } },
  { price: { min: 1_000, max: 5_000 } },
  { price: { min: 137, max: 4_321 } },
  { inStock: true, price: { min: 2_000, max: null } },
]

/** Values of the column in cursors */
const positions: Record<'PRICE_ASC' | 'PRICE_DESC' | 'NAME_ASC', readonly SortValue[]> = {
  PRICE_ASC: [0, 1_500],
  PRICE_DESC: [1_500, 30_000],
  NAME_ASC: ['product_2', 'product_33 v1'],
}
