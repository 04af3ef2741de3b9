import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../helpers/app.js'
import { readMetrics, sumOf } from '../helpers/prometheus.js'
import { noRedis, startRedis, type TestRedis } from '../helpers/redis.js'
import { until } from '../helpers/until.js'

const documents = [
  '{ a: product(id: "product_1") { name } b: product(id: "product_1") { stock } }',
  '{ a: product(id: "product_999999") { name } b: product(id: "product_999999") { name } }',
  '{ order(id: "order_1") { user { orders(first: 5) { nodes { user { name } products { name } } totalCount } } products { name } } }',
  '{ a: products(first: 3) { nodes { id } } b: products(first: 3) { nodes { name } totalCount } }',
  `mutation { a: updateProductStock(productId: "product_2", stock: 7) { product { stock } }
    b: updateProductStock(productId: "product_3", stock: 7) { product { stock } } }`,
]
const namespaces = ['users', 'products', 'orders', 'product-lists', 'user-orders']

describe.skipIf(noRedis)('the same requests count the same lookups', () => {
  let redis: TestRedis
  let far: TestApp
  let near: TestApp
  beforeAll(async () => {
    redis = await startRedis()
    far = await startTestApp({ redisUrl: redis.url, env: { CACHE_PREFIX: 'far' } })
    near = await startTestApp({ redisUrl: redis.url, env: { CACHE_PREFIX: 'near', CACHE_NEAR_MB: '64' } })
  })
  afterAll(async () => {
    await near.stop()
    await far.stop()
    await redis.stop()
  })

  const nearHits = async (namespace: string) =>
    sumOf(await readMetrics(near.origin), 'cache_hits_total', { namespace, store: 'near' })

  async function countsOf(app: TestApp) {
    const samples = await readMetrics(app.origin)
    return namespaces.map((namespace) => ({
      namespace,
      hits: sumOf(samples, 'cache_hits_total', { namespace }),
      negativeHits: sumOf(samples, 'cache_negative_hits_total', { namespace }),
      misses: sumOf(samples, 'cache_misses_total', { namespace }),
    }))
  }

  test('in the near and the far store, with compiled queries and on the standard path', async () => {
    await until(async () => {
      await near.query('{ stats { totalUsers } }')
      return (await nearHits('stats')) > 0
    })
    for (const document of documents) {
      for (let time = 0; time < 5; time += 1) {
        await Promise.all([near.query(document), far.query(document)])
        expect(await countsOf(near), `${document}, ${time}`).toEqual(await countsOf(far))
      }
    }
    expect(await nearHits('products')).toBeGreaterThan(0)
  })
})
