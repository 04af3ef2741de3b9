import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../helpers/app.js'
import { noRedis, startRedis, type TestRedis } from '../helpers/redis.js'
import { type RedisRecording, recordRedis } from '../helpers/redis-recording.js'

const orderQuery = 'query ($id: ID!) { order(id: $id) { id user { id name } products { id name price } } }'
const pageQuery = `query ($id: ID!) { user(id: $id) { orders { nodes { id user { name } products { name } } } } }`

describe.skipIf(noRedis)('what a query costs', () => {
  let redis: TestRedis
  let app: TestApp
  let recording: RedisRecording

  beforeAll(async () => {
    redis = await startRedis()
    app = await startTestApp({ redisUrl: redis.url })
  })
  afterAll(async () => {
    await app.stop()
    await redis.stop()
  })
  beforeEach(async () => {
    await redis.client.flushall()
    recording = await recordRedis(redis)
    app.takeStatements()
  })
  afterEach(() => recording.stop())

  /** The commands sent to Redis, and the keys read or filled, without the generations. */
  async function cost(document: string, variables?: Record<string, unknown>) {
    const answer = await app.query(document, variables)
    expect(answer.errors).toBeUndefined()
    const commands = await recording.take()
    return {
      data: answer.data,
      statements: app.takeStatements(),
      names: commands.map(([name]) => name),
      mgets: commands.filter(([name]) => name === 'mget').map(([, ...keys]) => keys.map(withoutPrefix)),
      leases: swappedKeys(commands, (text) => text.startsWith('L|')),
      fills: swappedKeys(commands, (text) => text.startsWith('1|')),
    }
  }

  test('a cold order is one MGET and one command for leases per level, one SQL statement per namespace, and one fill per key', async () => {
    const { data, statements, names, leases, fills } = await cost(orderQuery, { id: 'order_1' })
    expect(data.order.products.length).toBeGreaterThan(0)
    expect(statements).toHaveLength(3)
    for (const statement of statements) expect(statement).toContain('= any($1')
    expect(names.filter((name) => name === 'mget')).toHaveLength(2)
    const products = [...new Set(data.order.products.map(({ id }: { id: string }) => `products:${id}`))]
    expect(leases).toEqual([['orders:order_1'], [`users:${data.order.user.id}`, ...products]])
    expect(fills.flat().sort()).toEqual(leases.flat().sort())
    expect(names.every((name) => name === 'mget' || name?.startsWith('eval'))).toBe(true)
  })

  test('a warm order is two MGETs and no SQL, whatever the number of products', async () => {
    const [order] = await app.database.sql`
      select order_id from order_items group by order_id having count(distinct product_id) > 3 limit 1`
    const id = `order_${order?.order_id}`
    await cost(orderQuery, { id })
    const { data, statements, names, mgets } = await cost(orderQuery, { id })
    expect(statements).toEqual([])
    expect(names).toEqual(['mget', 'mget'])
    const productIds = [...new Set(data.order.products.map((product: { id: string }) => `products:${product.id}`))]
    expect(mgets).toEqual([
      ['orders', `orders:${id}`],
      ['users', `users:${data.order.user.id}`, 'products', ...productIds],
    ])
  })

  test('a warm page of 20 orders with users and products is four MGETs and no SQL', async () => {
    await cost(pageQuery, { id: 'user_1' })
    const { data, statements, names, mgets } = await cost(pageQuery, { id: 'user_1' })
    expect(data.user.orders.nodes).toHaveLength(20)
    expect(statements).toEqual([])
    expect(names).toEqual(['mget', 'mget', 'mget', 'mget'])
    expect(mgets[2]).toHaveLength(21)
  })

  test('a cold page of 20 orders is four SQL statements', async () => {
    const { statements } = await cost(pageQuery, { id: 'user_1' })
    expect(statements).toHaveLength(4)
  })

  test('a read of cached and missing rows fetches the missing ones, in one statement', async () => {
    await cost('{ nodes(ids: ["product_1", "product_2"]) { id } }')
    const { statements, mgets } = await cost('{ nodes(ids: ["product_1", "product_2", "product_3", "product_4"]) { id } }')
    expect(mgets).toEqual([['products', 'products:product_1', 'products:product_2', 'products:product_3', 'products:product_4']])
    expect(statements).toHaveLength(1)
  })

  test('duplicate ids are fetched once', async () => {
    const { mgets } = await cost(
      '{ a: product(id: "product_1") { id } b: product(id: "product_1") { id } node(id: "product_1") { id } }',
    )
    expect(mgets).toEqual([['products', 'products:product_1']])
  })

  test('the pages of many users are one MGET and one SQL statement', async () => {
    const document =
      '{ nodes(ids: ["user_1", "user_2", "user_3"]) { ... on User { orders(first: 2) { nodes { id } totalCount } } } }'
    const cold = await cost(document)
    // Users, pages, counts, orders; pages and counts are one namespace and one level
    expect(cold.statements).toHaveLength(4)
    const warm = await cost(document)
    expect(warm.statements).toEqual([])
    expect(warm.names).toEqual(['mget', 'mget', 'mget'])
    expect(warm.data).toEqual(cold.data)
  })

  test('an absent row is cached as a negative entry', async () => {
    expect((await cost('{ user(id: "user_999999") { id } }')).data).toEqual({ user: null })
    const { data, statements, names } = await cost('{ user(id: "user_999999") { id } }')
    expect(data).toEqual({ user: null })
    expect(statements).toEqual([])
    expect(names).toEqual(['mget'])
  })

  test.each([
    '',
    'user_',
    'user_0',
    'user_01',
    'user_1x',
    'product_1',
    'user_99999999999999999999',
    'USER_1',
    'user_1\u0000',
    '__proto__',
  ])('what cannot be the id of a user, %j, is null without a look anywhere', async (id) => {
    const { data, statements, names } = await cost('query ($id: ID!) { user(id: $id) { id } }', { id })
    expect(data).toEqual({ user: null })
    expect([...statements, ...names]).toEqual([])
  })

  test('nodes answers in the order of the ids, with null for absent rows', async () => {
    const { data } = await cost('{ nodes(ids: ["order_1", "nonsense", "user_2", "product_999999", "user_2"]) { __typename id } }')
    expect(data.nodes).toEqual([
      { __typename: 'Order', id: 'order_1' },
      null,
      { __typename: 'User', id: 'user_2' },
      null,
      { __typename: 'User', id: 'user_2' },
    ])
  })

  test('entries expire after soft TTL and grace, within the jitter of a tenth', async () => {
    await cost(orderQuery, { id: 'order_1' })
    const minutes = 60_000
    const ttl = await redis.client.pttl('ecommerce:v1:orders:order_1')
    expect(ttl).toBeGreaterThan(0.9 * 5 * minutes + 10 * minutes - 5_000)
    expect(ttl).toBeLessThanOrEqual(1.1 * 5 * minutes + 10 * minutes)
  })

  test('lists are stored as ids', async () => {
    await cost('{ products(category: "Books", first: 2) { nodes { id name } } }')
    const keys = await redis.client.keys('ecommerce:v1:product-lists:category*:*')
    expect(keys).toHaveLength(1)
    const entry = await redis.client.get(keys[0] as string)
    expect(entry).toMatch(/\|\{"ids":\["product_\d+","product_\d+"\],"hasPrevious":false,"hasNext":true\}$/)
  })

  test('totalCount costs nothing unless it is selected, and the page costs nothing if only totalCount is', async () => {
    const page = await cost('{ products(first: 2) { nodes { id } } }')
    expect(page.statements.join()).not.toContain('count(')
    const count = await cost('{ products { totalCount } }')
    expect(count.data.products.totalCount).toBe(500)
    expect(count.statements).toHaveLength(1)
  })

  test('a namespace with 10,000 entries is flushed with one command', async () => {
    await app.query('mutation { warmUpCache(namespaces: [USERS, PRODUCTS], limit: 10000) { warmed { entries } } }')
    await recording.take()
    await app.query('mutation { flushCache(namespace: USERS) { namespace } }')
    const commands = await recording.take()
    expect(commands[0]).toEqual(['unlink', 'ecommerce:v1:users'])
    expect(commands).toHaveLength(1)
    app.takeStatements()
    expect((await cost('{ user(id: "user_1") { id } }')).statements).toHaveLength(1)
    expect((await cost('{ product(id: "product_1") { id } }')).statements).toEqual([])
  })
})

/** For each script that writes entries: the keys to which it writes a text that meets the condition. Scripts without such a key are left out. */
function swappedKeys(commands: readonly string[][], meets: (text: string) => boolean): string[][] {
  return commands
    .filter(([name]) => name?.startsWith('eval'))
    .map(([, , count, ...keysAndArguments]) => {
      const keys = keysAndArguments.slice(0, Number(count))
      return keys.filter((_, index) => meets(keysAndArguments[keys.length + 4 * index + 2] ?? '')).map(withoutPrefix)
    })
    .filter((keys) => keys.length > 0)
}

function withoutPrefix(key: string): string {
  return key.replace('ecommerce:v1:', '')
}
