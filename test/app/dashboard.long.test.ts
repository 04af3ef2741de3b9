import type { InspectedEntries } from 'cached-resolvers'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { DashboardData } from '../../src/platform/metrics/dashboard.js'
import { Histogram, quantile } from '../../src/platform/metrics/histogram.js'
import type { CacheSummary } from '../../src/platform/metrics/summary.js'
import { startTestApp, type TestApp } from '../helpers/app.js'
import { createDatabase, type TestDatabase } from '../helpers/database.js'
import { noRedis, startRedis, type TestRedis } from '../helpers/redis.js'
import { until } from '../helpers/until.js'

async function dashboardData(app: TestApp, after = 0): Promise<DashboardData> {
  return (await (await fetch(`${app.origin}/dashboard/metrics?after=${after}`)).json()) as DashboardData
}

const total = ({ slots }: DashboardData, count: (slot: DashboardData['slots'][number]) => number) =>
  slots.reduce((sum, slot) => sum + count(slot), 0)

const lookupsOf = ({ near, far, misses }: CacheSummary) => near + far + misses

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

  test.each([
    ['near store', { CACHE_NEAR_MB: '8' }],
    ['far store', { CACHE_NEAR_MB: '0' }],
  ])('have the hot keys of all processes, whichever way a request was answered: %s', async (_, env) => {
    const [one, other] = [await start(env), await start(env)]
    const order = 'query Order($id: ID!) { order(id: $id) { user { name } products { name } } }'
    // At first on the standard path, then by the compiled query
    for (let times = 0; times < 8; times += 1) {
      for (const app of [one, other]) await app.query(order, { id: 'order_7' })
      await one.query('{ products(category: "Books", first: 3) { nodes { id } } product(id: "product_999999") { id } }')
    }
    await other.query(order, { id: 'order_8' })
    await one.query('{ stats { users } }')
    let data = await dashboardData(one)
    await until(async () => {
      data = await dashboardData(one)
      return total(data, ({ requests }) => requests) === 26
    })
    expect(total(data, ({ compiled }) => compiled)).toBeGreaterThan(10)
    const { reads, hotKeys, seconds } = data.hotKeys
    expect(reads).toBe(total(data, ({ cache }) => lookupsOf(cache)))
    const readsOf = (id: string) => hotKeys.find(({ idOrList }) => idOrList === id)?.reads
    expect([readsOf('order_7'), readsOf('product_999999')]).toEqual([16, 8])
    expect(hotKeys.find(({ namespace }) => namespace === 'product-lists')).toMatchObject({
      idOrList: 'category:Books',
      parameters: { size: 3, from: 'start' },
      reads: 8,
    })
    expect(hotKeys.length).toBeLessThanOrEqual(10)
    expect(hotKeys.map(({ reads }) => reads)).toEqual(hotKeys.map(({ reads }) => reads).sort((a, b) => b - a))
    expect(hotKeys.reduce((sum, { reads }) => sum + reads, 0)).toBeLessThanOrEqual(reads)
    expect(seconds).toBeLessThanOrEqual(70)
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

describe.skipIf(noRedis)('/dashboard/entry', () => {
  let redis: TestRedis
  let app: TestApp
  beforeAll(async () => {
    redis = await startRedis()
    app = await startTestApp({ redisUrl: redis.url, env: { CACHE_NEAR_MB: '8', REDIS_HEALTH_INTERVAL_MS: '50' } })
  })
  afterAll(async () => {
    await app.stop()
    await redis.stop()
  })
  const inspect = async (namespace: string, id: string) => {
    const response = await fetch(`${app.origin}/dashboard/entry?${new URLSearchParams({ namespace, id })}`)
    expect(response.headers.get('cache-control')).toBe('no-store')
    return ((await response.json()) as { entries: InspectedEntries }).entries
  }
  const inspectOne = async (namespace: string, id: string) => (await inspect(namespace, id))[0] as InspectedEntries[number]
  const cachesOf = async () => (await app.query('{ stats { caches { namespace hits misses fills } } }')).data.stats.caches

  test('shows what both stores hold, with state and times, and changes and counts nothing', async () => {
    expect(await inspectOne('users', 'user_3')).toMatchObject({ near: null, far: { state: 'absent' } })
    const { data } = await app.query('{ user(id: "user_3") { id name email } }')
    // A read after the end of the fill, which this process learns somewhat later, puts the entry into the near store.
    await until(async () => {
      await app.query('{ user(id: "user_3") { id } }')
      return (await inspectOne('users', 'user_3')).near !== null
    })
    const before = await cachesOf()
    const { key, near, far } = await inspectOne('users', 'user_3')
    expect(key).toMatch(/:users:user_3$/)
    expect([near?.state, far.state]).toEqual(['fresh', 'fresh'])
    expect(far.content?.value).toMatchObject({ name: data.user.name, email: data.user.email })
    const { minAgeMs = -1, maxAgeMs = 0, freshForMs = 0, keptForMs = 0 } = far.content ?? {}
    expect(minAgeMs).toBeGreaterThanOrEqual(0)
    expect(maxAgeMs).toBeGreaterThan(minAgeMs)
    expect(maxAgeMs).toBeLessThan(0.2 * 600_000 + 120_000)
    expect(keptForMs).toBeGreaterThan(freshForMs)
    await inspectOne('users', 'user_4')
    expect(await cachesOf()).toEqual(before)
  })

  test('shows a negative entry, a flushed one, and the pages of a list', async () => {
    await app.query(
      '{ user(id: "user_999999") { id } product(id: "product_5") { id } products(category: "Books") { nodes { id } } }',
    )
    await until(async () => (await inspectOne('users', 'user_999999')).far.content?.value === null)
    for (const name of ['category:Books', 'Books']) {
      const entries = await inspect('product-lists', name)
      const page = entries.find(({ parameters }) => parameters?.size === 20 && !parameters.sort && !parameters.filter)
      expect(page?.far).toMatchObject({ state: 'fresh', content: { value: { ids: expect.any(Array) } } })
    }
    await until(async () => (await inspectOne('products', 'product_5')).far.state === 'fresh')
    await app.query('mutation { flushCache(namespace: PRODUCTS) { namespace } }')
    expect((await inspectOne('products', 'product_5')).far.state).toBe('invalidated')
  })

  test('refuses an unknown namespace, and reports that the store is away', async () => {
    for (const query of ['', '?namespace=nothing&id=x', '?namespace=users&namespace=users&id=x', '?namespace=__proto__&id=x']) {
      const response = await fetch(`${app.origin}/dashboard/entry${query}`)
      expect([query, response.status]).toEqual([query, 404])
    }
    await redis.kill()
    await until(async () => (await inspectOne('users', 'user_1')).far.state === 'unavailable')
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
