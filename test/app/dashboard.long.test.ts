import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { DashboardData } from '../../src/platform/metrics/dashboard.js'
import { Histogram, quantile } from '../../src/platform/metrics/histogram.js'
import { startTestApp, type TestApp } from '../helpers/app.js'
import { createDatabase, type TestDatabase } from '../helpers/database.js'
import { noRedis, startRedis, type TestRedis } from '../helpers/redis.js'
import { until } from '../helpers/until.js'

async function dashboardData(app: TestApp, after = 0): Promise<DashboardData> {
  return (await (await fetch(`${app.origin}/dashboard/metrics?after=${after}`)).json()) as DashboardData
}

const total = ({ slots }: DashboardData, count: (slot: DashboardData['slots'][number]) => number) =>
  slots.reduce((sum, slot) => sum + count(slot), 0)

describe.skipIf(noRedis)('the dashboard metrics', () => {
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

  test('include all processes, also one that has ended, and add up', async () => {
    const [one, other] = [await start(), await start()]
    for (let times = 0; times < 4; times += 1) await one.query('{ user(id: "user_1") { id } }')
    for (let times = 0; times < 3; times += 1) await other.query('{ user(id: "user_2") { id } }')
    await other.stop()
    apps.pop()
    await until(async () => total(await dashboardData(one), ({ requests }) => requests) === 7)
    const data = await dashboardData(one)
    expect(data).toMatchObject({ scope: 'all', backend: 'redis' })
    expect(total(data, ({ namespaces }) => namespaces.users?.misses ?? 0)).toBe(2)
    expect(total(data, ({ cache }) => cache.near + cache.far + cache.misses)).toBe(7)
    expect(total(data, ({ compiled }) => compiled)).toBe(3)
    const newest = Math.max(...data.slots.map(({ at }) => at))
    expect((await dashboardData(one, newest)).slots).toEqual([])
  })

  test('are those of this process while Redis is down, and counts made meanwhile are added when it is back', async () => {
    const app = await start()
    await redis.kill()
    for (let times = 0; times < 5; times += 1) await app.query('{ user(id: "user_1") { id } }')
    await until(async () => {
      const data = await dashboardData(app)
      return data.scope === 'this process' && total(data, ({ requests }) => requests) === 5
    })
    await redis.start()
    await until(async () => {
      const data = await dashboardData(app)
      return data.scope === 'all' && total(data, ({ requests }) => requests) === 5
    })
  })

  test('expire in Redis', async () => {
    const app = await start()
    await until(async () => (await redis.client.keys('*history:10000:*')).length > 0)
    const ttls = await Promise.all((await redis.client.keys('*history*')).map((key) => redis.client.ttl(key)))
    for (const ttl of ttls) expect(ttl).toBeGreaterThanOrEqual(0)
    expect(Math.max(...ttls)).toBeLessThanOrEqual(3_620)
    await app.query('{ __typename }')
  })

  test('any value of `after` is accepted', async () => {
    const app = await start()
    for (const after of ['', 'x', '-1', '1e999', '%00']) {
      expect((await fetch(`${app.origin}/dashboard/metrics?after=${after}&after=2`)).status).toBe(200)
    }
  })
})

test('a quantile lies in its bucket, and is null if nothing was counted', () => {
  const histogram = new Histogram([1, 2, 4])
  expect(quantile([1, 2, 4], histogram.counts, 0.5)).toBeNull()
  for (const seconds of [0.5, 1.5, 1.5, 3]) histogram.observe(seconds)
  expect(histogram.counts).toEqual([1, 2, 1, 0])
  expect(quantile([1, 2, 4], histogram.counts, 0.5)).toBe(1.5)
  expect(quantile([1, 2, 4], histogram.counts, 1)).toBe(4)
  histogram.observe(99)
  expect(quantile([1, 2, 4], histogram.counts, 1)).toBe(4)
})
