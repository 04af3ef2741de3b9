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
  const start = async (env: Record<string, string> = {}) => {
    const app = await startTestApp({ redisUrl: redis.url, database, env: { REDIS_HEALTH_INTERVAL_MS: '50', ...env } })
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

  test('count the statements of requests apart from those of audits and health checks', async () => {
    const app = await start({ AUDIT_INTERVAL_MS: '20' })
    await app.query('{ user(id: "user_1") { id } }')
    await until(async () => {
      const { latest } = await dashboardData(app)
      return latest.requests === 1 && latest.statements === 1 && latest.ownStatements > 10
    })
  })

  test('have a percentile only if there are enough requests for it, and else the maximum', async () => {
    const app = await start()
    const latencyAfter = async (newRequests: number, allRequests: number) => {
      for (let time = 0; time < newRequests; time += 1) await app.query('query User { user(id: "user_1") { id } }')
      let latency: DashboardData['latest']['latencyMs'] | undefined
      await until(async () => {
        latency = (await dashboardData(app)).operations.operations.find(({ name }) => name === 'User')?.latencyMs
        return latency?.count === allRequests
      })
      return latency as DashboardData['latest']['latencyMs']
    }
    const few = await latencyAfter(3, 3)
    expect(few).toEqual({ count: 3, p50: null, p95: null, p99: null, max: expect.any(Number) })
    const more = await latencyAfter(17, 20)
    expect(more).toEqual({ count: 20, p50: expect.any(Number), p95: expect.any(Number), p99: null, max: expect.any(Number) })
    const { p50, p95, p99, max } = await latencyAfter(80, 100)
    expect([p50, p95, p99, max]).toEqual([p50, p95, p99, max].sort((a, b) => Number(a) - Number(b)))
    expect(Math.min(Number(p50), Number(few.max))).toBeGreaterThan(0)
  })

  test('have the codes of errors, and whether the log has a line for them', async () => {
    const app = await start({ LOG_LEVEL: 'warn' })
    await app.query('{ nothing }')
    await app.query('{ users(first: 101) { totalCount } }')
    await app.query('{ users(first: 102) { totalCount } }')
    await until(async () => {
      const { latest } = await dashboardData(app)
      return latest.errorCodes.BAD_USER_INPUT === 2 && latest.errorCodes.GRAPHQL_VALIDATION_FAILED === 1
    })
    const { latest, logged } = await dashboardData(app)
    expect(Object.keys(latest.errorCodes)).toHaveLength(2)
    expect(latest).toMatchObject({ requests: 3, errors: 2, refused: 1 })
    expect(logged).toEqual({ requests: false, errors: true, warnings: true })
  })

  test('have the operations of all processes, with requests, errors and cost', async () => {
    const [one, other] = [await start(), await start()]
    for (const app of [one, other, one]) await app.query('query User { user(id: "user_1") { id } }')
    await other.query('query Users { users(first: 101) { totalCount } }')
    await other.query('{ __typename }')
    let data = await dashboardData(one)
    await until(async () => {
      data = await dashboardData(one)
      return data.operations.operations.reduce((sum, { requests }) => sum + requests, 0) === 5
    })
    const summary = (name: string) => data.operations.operations.find((operation) => operation.name === name)
    expect(data.operations.operations.map(({ name }) => name)).toEqual(['User', 'Users', 'anonymous'])
    expect(summary('User')).toMatchObject({ requests: 3, errors: 0, refused: 0, latencyMs: { count: 3 } })
    expect(summary('User')?.points).toBeGreaterThan(0)
    expect(summary('Users')).toMatchObject({ requests: 1, errors: 1 })
  })

  test('bound the number of operation names, and keep their sum', async () => {
    const app = await start({ MAX_COST: '1000000' })
    const names = Array.from({ length: 120 }, (_, index) => `Name${index}`)
    await Promise.all(names.map((name) => app.query(`query ${name} { __typename }`)))
    await app.query(`query ${'x'.repeat(65)} { __typename }`)
    let operations: DashboardData['operations']['operations'] = []
    await until(async () => {
      ;({ operations } = (await dashboardData(app)).operations)
      return operations.reduce((sum, { requests }) => sum + requests, 0) === 121
    })
    expect(operations.length).toBeLessThanOrEqual(40)
    expect(Math.max(...operations.map(({ name }) => name.length))).toBeLessThanOrEqual(64)
    expect(operations[0]?.name).toBe('other')
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
