import { isDeepStrictEqual } from 'node:util'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../helpers/app.js'
import { noRedis, startRedis, type TestRedis } from '../helpers/redis.js'
import { until } from '../helpers/until.js'
import { changeProductsWithoutTriggers } from '../helpers/without-triggers.js'

const document = '{ order(id: "order_1") { id user { name } products { name } } gone: product(id: "product_999999") { name } }'
const none = { near: 0, far: 0, stale: 0, negative: 0, miss: 0, statements: 0, statementMs: 0 }

describe.skipIf(noRedis)('the cache report of a request', () => {
  let redis: TestRedis
  let app: TestApp
  let near: TestApp

  beforeAll(async () => {
    redis = await startRedis()
    app = await startTestApp({ redisUrl: redis.url })
    near = await startTestApp({ redisUrl: redis.url, database: app.database, env: { CACHE_NEAR_MB: '64' } })
  })
  afterAll(async () => {
    await near.stop()
    await app.stop()
    await redis.stop()
  })
  beforeEach(() => redis.client.flushall())

  async function sendQuery(headers: Record<string, string>, { origin } = app) {
    const response = await fetch(`${origin}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ query: document }),
    })
    const { data, extensions } = (await response.json()) as { data: unknown; extensions?: { cache: Record<string, typeof none> } }
    return { data, cache: extensions?.cache, timing: response.headers.get('server-timing'), headers: response.headers }
  }

  test('is returned on request: first the database, then Redis', async () => {
    const cold = await sendQuery({ 'x-cache-report': '1' })
    const products = new Set((cold.data as { order: { products: { name: string }[] } }).order.products.map(({ name }) => name))
      .size
    expect(cold.cache).toEqual({
      orders: { ...none, miss: 1, statements: 1, statementMs: expect.any(Number) },
      users: { ...none, miss: 1, statements: 1, statementMs: expect.any(Number) },
      // The absent row is loaded one level earlier.
      products: { ...none, miss: products + 1, statements: 2, statementMs: expect.any(Number) },
    })
    expect(cold.cache?.products?.statementMs).toBeGreaterThan(0)
    expect(cold.timing).toMatch(/orders;desc="miss 1", orders-sql;desc="SQL statements: 1";dur=[\d.]+/)
    expect(cold.timing).toMatch(/, total;dur=[\d.]+$/)
    const warm = await sendQuery({ 'x-cache-report': '1' })
    expect(warm.data).toEqual(cold.data)
    expect(warm.cache).toEqual({
      orders: { ...none, far: 1 },
      users: { ...none, far: 1 },
      products: { ...none, far: products, negative: 1 },
    })
    expect(warm.timing).toContain(`products;desc="far ${products}, negative 1"`)
    expect(warm.timing).not.toContain('sql')
    expect(warm.headers.get('cache-control')).toBe('no-store')
  })

  test('counts near hits separately', async () => {
    await sendQuery({}, near)
    const users = async () => (await sendQuery({ 'x-cache-report': 'true' }, near)).cache?.users
    await until(async () => isDeepStrictEqual(await users(), { ...none, near: 1 }))
  })

  test('is not returned unless requested', async () => {
    for (let times = 0; times < 4; times += 1) {
      const { cache, timing } = await sendQuery({})
      expect({ cache, timing }).toEqual({ cache: undefined, timing: null })
    }
  })

  test('Cache-Control: no-cache reads the database, and does not change the cache', async () => {
    await sendQuery({})
    const [row] = await app.database.sql`
      select product_id, name from order_items join products on products.id = product_id where order_id = 1 limit 1`
    await changeProductsWithoutTriggers(
      app.database,
      `update products set name = 'changed behind the back of the cache' where id = ${row?.product_id}`,
    )
    try {
      const past = await sendQuery({ 'cache-control': 'no-cache', 'x-cache-report': '1' })
      expect(JSON.stringify(past.data)).toContain('changed behind the back of the cache')
      expect(past.cache?.orders).toEqual({ ...none, statements: 1, statementMs: expect.any(Number) })
      const cached = await sendQuery({ 'cache-control': 'max-age=0' })
      expect(JSON.stringify(cached.data)).not.toContain('changed behind the back of the cache')
    } finally {
      await app.database.sql`update products set name = ${row?.name} where id = ${row?.product_id}`
    }
  })
})
