import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../helpers/app.js'
import { createDatabase, type TestDatabase } from '../helpers/database.js'
import { noRedis, startRedis, type TestRedis } from '../helpers/redis.js'
import { until } from '../helpers/until.js'

const statsQuery = `{ stats { cacheHitRate caches { namespace hits negativeHits staleHits misses fills invalidations errors hitRate ttlSeconds } } }`

async function caches(app: TestApp): Promise<Record<string, Record<string, number>>> {
  const { data } = await app.query(statsQuery)
  return Object.fromEntries(data.stats.caches.map(({ namespace, ...counts }: { namespace: string }) => [namespace, counts]))
}

const nothing = { hits: 0, negativeHits: 0, staleHits: 0, misses: 0, fills: 0, invalidations: 0, errors: 0, hitRate: 0 }

describe.skipIf(noRedis)('stats', () => {
  let redis: TestRedis
  let database: TestDatabase
  let app: TestApp
  beforeAll(async () => {
    redis = await startRedis()
    database = await createDatabase()
    app = await startTestApp({ redisUrl: redis.url, database, runsRelay: false })
  })
  afterAll(async () => {
    await app.stop()
    await database.drop()
    await redis.stop()
  })

  test('the counters are right for a known series of lookups, over two processes and a restart', async () => {
    const other = await startTestApp({ redisUrl: redis.url, database, runsRelay: false })
    expect((await caches(app)).USERS).toEqual({ ...nothing, ttlSeconds: 600 })

    await app.query('{ nodes(ids: ["user_1", "user_2", "user_2", "user_999999", "product_1"]) { id } }') // USERS 3 misses, PRODUCTS 1
    await other.query('{ nodes(ids: ["user_1", "user_2", "user_999999"]) { id } }') // USERS 3 hits, one of them negative
    await other.query('{ user(id: "user_3") { id } a: user(id: "user_3") { id } }') // USERS 1 miss
    await app.query('mutation { updateUser(input: { id: "user_1", name: "New Name" }) { user { name } } }') // 1 invalidation, 1 miss
    await other.stop()

    const expected = {
      USERS: { ...nothing, hits: 3, negativeHits: 1, misses: 5, fills: 5, invalidations: 1, hitRate: 37.5, ttlSeconds: 600 },
      PRODUCTS: { ...nothing, misses: 1, fills: 1, ttlSeconds: 1800 },
      ORDERS: { ...nothing, ttlSeconds: 300 },
      PRODUCT_LISTS: { ...nothing, ttlSeconds: 180 },
      USER_ORDERS: { ...nothing, ttlSeconds: 180 },
      STATS: { ...nothing, ttlSeconds: 300 },
    }
    expect(await caches(app)).toMatchObject(expected)
    expect((await app.query(statsQuery)).data.stats.cacheHitRate).toBe(33.33)

    await app.stop()
    app = await startTestApp({ redisUrl: redis.url, database })
    expect(await caches(app)).toMatchObject(expected)
  })

  test('totals come from one SQL statement, are cached, and follow a write', async () => {
    const totals = '{ stats { totalUsers totalProducts totalOrders revenue asOf } }'
    app.takeStatements()
    const { data } = await app.query(totals)
    expect(app.takeStatements()).toHaveLength(1)
    const [row] = await database.sql`
      select (select count(*) from users) as users, (select count(*) from products) as products, (select count(*) from orders) as orders,
        (select sum(total_cents) from orders) as cents`
    expect(data.stats).toEqual({
      ...{ totalUsers: row?.users, totalProducts: row?.products, totalOrders: row?.orders },
      revenue: Number(row?.cents) / 100,
      asOf: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    })
    expect((await app.query(totals)).data).toEqual(data)
    expect(app.takeStatements()).toEqual([])

    await app.query('mutation { createUser(input: { email: "totals@example.com", name: "T" }) { user { id } } }')
    expect((await app.query(totals)).data.stats.totalUsers).toBe(data.stats.totalUsers + 1)
  })

  test('the cache counts cost no SQL', async () => {
    app.takeStatements()
    await app.query(statsQuery)
    expect(app.takeStatements()).toEqual([])
  })

  test('cacheInfo returns the state of the server', async () => {
    const { data } = await app.query(
      '{ cacheInfo { backend available version usedMemoryBytes uptimeSeconds connectedClients keys } }',
    )
    expect(data.cacheInfo).toEqual({
      ...{ backend: 'redis', available: true, version: expect.stringMatching(/^\d+\.\d+/) },
      ...{ usedMemoryBytes: expect.any(Number), uptimeSeconds: expect.any(Number) },
      ...{ connectedClients: expect.any(Number), keys: expect.any(Number) },
    })
    // The counts saved every second may add a key.
    const keys = async () => (await app.query('{ cacheInfo { keys } }')).data.cacheInfo.keys
    await until(async () => (await keys()) === (await redis.client.dbsize()))
  })

  test('while the server is unavailable, the counts of this process are shown, and none is lost', async () => {
    const before = (await caches(app)).ORDERS as Record<string, number>
    await redis.kill()
    await app.query('{ order(id: "order_7") { id } }')
    await app.query('{ order(id: "order_7") { id } }')
    const during = (await caches(app)).ORDERS as Record<string, number>
    expect(during.misses).toBe((before.misses ?? 0) + 2)
    expect(during.errors).toBeGreaterThan(0)
    await redis.start()
    // The server restarted empty: its sums are lost, but not the counts that it had not yet confirmed.
    await until(async () => (await caches(app)).ORDERS?.misses === 2)
  })
})

describe('stats without Redis', () => {
  test('counts in the process', async () => {
    const app = await startTestApp()
    await app.query('{ user(id: "user_1") { id } }')
    await app.query('{ user(id: "user_1") { id } }')
    expect((await caches(app)).USERS).toMatchObject({ hits: 1, misses: 1, fills: 1, hitRate: 50 })
    expect((await app.query('{ cacheInfo { backend available version } }')).data.cacheInfo).toEqual({
      ...{ backend: 'memory', available: true, version: null },
    })
    await app.stop()
  })
})
