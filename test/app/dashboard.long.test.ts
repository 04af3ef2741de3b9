import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { DashboardData } from '../../src/platform/metrics/dashboard.js'
import { Distribution, quantile } from '../../src/platform/metrics/distribution.js'
import { startTestApp, type TestApp } from '../helpers/app.js'
import { createDatabase, type TestDatabase } from '../helpers/database.js'
import { noRedis, startRedis, type TestRedis } from '../helpers/redis.js'
import { until } from '../helpers/until.js'

async function figures(app: TestApp, after = 0): Promise<DashboardData> {
  return (await (await fetch(`${app.origin}/dashboard/figures?after=${after}`)).json()) as DashboardData
}

const total = ({ slots }: DashboardData, count: (slot: DashboardData['slots'][number]) => number) =>
  slots.reduce((sum, slot) => sum + count(slot), 0)

describe.skipIf(noRedis)('the figures of the dashboard', () => {
  let redis: TestRedis
  let database: TestDatabase
  let apps: TestApp[]
  beforeEach(async () => {
    ;[redis, database] = await Promise.all([startRedis(), createDatabase()])
    apps = []
  })
  afterEach(async () => {
    for (const app of apps) await app.stop()
    await Promise.all([redis.stop(), database.drop()])
  })
  const start = async () => {
    const app = await startTestApp({ redisUrl: redis.url, database, env: { REDIS_HEALTH_INTERVAL_MS: '50' } })
    apps.push(app)
    return app
  }

  test('are those of all processes, also of one that has ended, and add up', async () => {
    const [one, other] = [await start(), await start()]
    for (let times = 0; times < 4; times += 1) await one.query('{ user(id: "user_1") { id } }')
    for (let times = 0; times < 3; times += 1) await other.query('{ user(id: "user_2") { id } }')
    await other.stop()
    apps.pop()
    await until(async () => total(await figures(one), ({ requests }) => requests) === 7)
    const data = await figures(one)
    expect(data).toMatchObject({ of: 'all', backend: 'redis' })
    expect(total(data, ({ namespaces }) => namespaces.users?.misses ?? 0)).toBe(2)
    expect(total(data, ({ cache }) => cache.near + cache.far + cache.misses)).toBe(7)
    expect(total(data, ({ lane }) => lane)).toBe(3)
    const newest = Math.max(...data.slots.map(({ at }) => at))
    expect((await figures(one, newest)).slots).toEqual([])
  })

  test('are those of this process while Redis is away, and what was counted meanwhile is there when it is back', async () => {
    const app = await start()
    await redis.kill()
    for (let times = 0; times < 5; times += 1) await app.query('{ user(id: "user_1") { id } }')
    await until(async () => {
      const data = await figures(app)
      return data.of === 'this process' && total(data, ({ requests }) => requests) === 5
    })
    await redis.start()
    await until(async () => {
      const data = await figures(app)
      return data.of === 'all' && total(data, ({ requests }) => requests) === 5
    })
  })

  test('do not take memory of Redis for ever', async () => {
    const app = await start()
    await until(async () => (await redis.client.keys('*history:10000:*')).length > 0)
    const ttls = await Promise.all((await redis.client.keys('*history*')).map((key) => redis.client.ttl(key)))
    for (const ttl of ttls) expect(ttl).toBeGreaterThanOrEqual(0)
    expect(Math.max(...ttls)).toBeLessThanOrEqual(3_620)
    await app.query('{ __typename }')
  })

  test('whatever is asked for as the last known slot', async () => {
    const app = await start()
    for (const after of ['', 'x', '-1', '1e999', '%00']) {
      expect((await fetch(`${app.origin}/dashboard/figures?after=${after}&after=2`)).status).toBe(200)
    }
  })
})

test('a quantile lies in its bucket, and is nothing where nothing was counted', () => {
  const distribution = new Distribution([1, 2, 4])
  expect(quantile([1, 2, 4], distribution.counts, 0.5)).toBeNull()
  for (const seconds of [0.5, 1.5, 1.5, 3]) distribution.observe(seconds)
  expect(distribution.counts).toEqual([1, 2, 1, 0])
  expect(quantile([1, 2, 4], distribution.counts, 0.5)).toBe(1.5)
  expect(quantile([1, 2, 4], distribution.counts, 1)).toBe(4)
  distribution.observe(99)
  expect(quantile([1, 2, 4], distribution.counts, 1)).toBe(4)
})
