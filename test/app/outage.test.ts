import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { freePort } from '../../tools/free-port.js'
import { startTestApp, type TestApp } from '../helpers/app.js'
import { startBehindProxy } from '../helpers/behind-proxy.js'
import { noRedis, startRedis, type TestRedis } from '../helpers/redis.js'
import { until } from '../helpers/until.js'

const document = '{ order(id: "order_1") { id user { id } products { id } } }'
const settings = { REDIS_HEALTH_INTERVAL_MS: '50' }
/** Deadlines for a hung server */
const impatient = { ...settings, REDIS_TIMEOUT_MS: '100' }

async function health(app: TestApp) {
  const response = await fetch(`${app.origin}/health`)
  return {
    httpStatus: response.status,
    ...((await response.json()) as { status: string; cache: { state: string }; database: { state: string } }),
  }
}

/** Whether a query is answered from the cache alone */
async function isWarm(app: TestApp): Promise<boolean> {
  await app.query(document)
  app.takeStatements()
  expect((await app.query(document)).data.order.id).toBe('order_1')
  return app.takeStatements().length === 0
}

describe.skipIf(noRedis)('with the cache server unavailable', () => {
  let redis: TestRedis
  let app: TestApp
  beforeEach(async () => {
    redis = await startRedis()
  })
  afterEach(async () => {
    await app.stop()
    await redis.stop()
  })

  test('the API starts without it, answers from the database, and uses it when it becomes available', async () => {
    await redis.kill()
    app = await startTestApp({ redisUrl: redis.url, env: settings })
    expect((await app.query(document)).data.order.id).toBe('order_1')
    expect(await health(app)).toMatchObject({
      httpStatus: 200,
      status: 'degraded',
      cache: { state: 'down' },
      database: { state: 'up' },
    })
    expect((await app.query('{ cacheInfo { backend available version keys } }')).data.cacheInfo).toEqual({
      ...{ backend: 'redis', available: false, version: null, keys: null },
    })

    await redis.start()
    await until(async () => (await health(app)).status === 'healthy')
    expect(await isWarm(app)).toBe(true)
  })

  test('after a crash under load, no request fails, and it is used again without a restart of the API', async () => {
    app = await startTestApp({ redisUrl: redis.url, env: settings })
    let failed = 0
    let running = true
    const reader = async () => {
      while (running) {
        const { data, errors } = await app.query(document)
        if (errors || data.order.id !== 'order_1') failed += 1
      }
    }
    const readers = Array.from({ length: 5 }, reader)
    await until(async () => (await health(app)).status === 'healthy')
    await redis.kill()
    await until(async () => (await health(app)).status === 'degraded')
    await redis.start()
    await until(async () => (await health(app)).status === 'healthy')
    running = false
    await Promise.all(readers)
    expect(failed).toBe(0)
    expect(await isWarm(app)).toBe(true)
  })

  test('if it hangs, requests continue after the deadline, later ones without waiting, and it is used again when it answers', async () => {
    app = await startTestApp({ redisUrl: redis.url, env: impatient })
    await app.query(document)
    redis.freeze()
    expect((await app.query(document)).data.order.id).toBe('order_1')
    expect((await app.query(document)).data.order.id).toBe('order_1')
    await until(async () => (await health(app)).status === 'degraded')
    redis.thaw()
    await until(async () => (await health(app)).status === 'healthy')
    await until(() => isWarm(app))
  })

  test('an invalidation that could not be delivered is delivered when it is back', async () => {
    app = await startTestApp({ redisUrl: redis.url, env: impatient })
    const product = '{ product(id: "product_1") { stock } }'
    await app.query(product)
    redis.freeze()
    const written = await app.query(
      'mutation { updateProductStock(productId: "product_1", stock: 4711) { product { stock } userErrors { code } } }',
    )
    expect(written.data.updateProductStock).toEqual({ product: { stock: 4711 }, userErrors: [] })
    redis.thaw()
    await until(async () => (await app.query(product)).data.product.stock === 4711)
    await until(async () => (await app.database.sql`select 1 from cache_outbox`).length === 0)
  })

  test('a flush reports that it failed', async () => {
    await redis.kill()
    app = await startTestApp({ redisUrl: redis.url, env: settings })
    const { errors } = await app.query('mutation { flushCache(namespace: USERS) { namespace } }')
    expect(errors?.[0]?.extensions.code).toBe('SERVICE_UNAVAILABLE')
    expect(
      (await app.query('mutation { warmUpCache(namespaces: [USERS]) { warmed { entries } } }')).data.warmUpCache.warmed,
    ).toEqual([{ entries: 0 }])
  })
})

describe('with the database unavailable', () => {
  test('errors have a code and a request id and no internal details, health is 503, and the API recovers by itself', async () => {
    const { app, proxy, stop } = await startBehindProxy({})
    await app.query('{ order(id: "order_1") { id } }')

    proxy.cut()
    const { data, errors } = await app.query('{ cold: order(id: "order_2") { id } warm: order(id: "order_1") { id } }')
    expect(data).toEqual({ cold: null, warm: { id: 'order_1' } })
    expect(errors).toEqual([
      {
        message: 'The database cannot be reached, try again later',
        path: ['cold'],
        locations: expect.anything(),
        extensions: { code: 'SERVICE_UNAVAILABLE', requestId: expect.any(String) },
      },
    ])
    expect(await health(app)).toMatchObject({ httpStatus: 503, status: 'unavailable', database: { state: 'down' } })

    proxy.restore()
    await until(async () => (await health(app)).status === 'healthy')
    expect((await app.query('{ order(id: "order_2") { id } }')).data.order.id).toBe('order_2')
    await stop()
  })
})

describe('with a Redis address that does not answer', () => {
  test('a Redis that refuses connections does not slow the start or the requests down', async () => {
    const app = await startTestApp({ redisUrl: `redis://127.0.0.1:${await freePort()}`, env: settings })
    expect((await app.query(document)).data.order.id).toBe('order_1')
    await app.stop()
  })
})
