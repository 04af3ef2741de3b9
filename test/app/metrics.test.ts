import { isDeepStrictEqual } from 'node:util'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { namespaces } from '../../src/shop/entities.js'
import { startTestApp, type TestApp } from '../helpers/app.js'
import { type BuiltServer, query, startBuiltServer, waitUntilReady } from '../helpers/built.js'
import { createDatabase, type TestDatabase } from '../helpers/database.js'
import { openSocket, productChanged, subscriber, waitUntilSubscribed } from '../helpers/live.js'
import { postBody } from '../helpers/post.js'
import { readMetrics, type Samples, sumOf } from '../helpers/prometheus.js'
import { connectRaw, headOf } from '../helpers/raw-client.js'
import { noRedis, startRedis, type TestRedis } from '../helpers/redis.js'
import { until } from '../helpers/until.js'

const statsQuery = `query Stats { stats { caches { namespace hits negativeHits staleHits nearHits misses coalesced leaseWaits shed
  fills invalidations unavailable refused corrupt failedRefills audited wrong } } }`

/** The counts of Query.stats, by the names of the metrics */
async function stats(url: string): Promise<Record<string, number>> {
  const { data } = await query(url, statsQuery)
  return Object.fromEntries(
    data.stats.caches.flatMap(({ namespace, ...counts }: Record<string, number | string>) => {
      const { name } = namespaces.find(({ name }) => name.toUpperCase().replaceAll('-', '_') === namespace) as { name: string }
      const { hits, nearHits, ...others } = counts as Record<string, number>
      return Object.entries({ near: nearHits ?? 0, far: (hits ?? 0) - (nearHits ?? 0), ...others }).map(([counter, count]) => [
        `${name} ${counter}`,
        count,
      ])
    }),
  )
}

function cacheCounters(samples: Samples): Record<string, number> {
  const of = (name: string, namespace: string, labels = {}) => sumOf(samples, name, { namespace, ...labels })
  return Object.fromEntries(
    namespaces.flatMap(({ name: namespace }) =>
      Object.entries({
        near: of('cache_hits_total', namespace, { store: 'near' }),
        far: of('cache_hits_total', namespace, { store: 'far' }),
        negativeHits: of('cache_negative_hits_total', namespace),
        staleHits: of('cache_stale_hits_total', namespace),
        misses: of('cache_misses_total', namespace),
        coalesced: of('cache_coalesced_misses_total', namespace),
        leaseWaits: of('cache_lease_waits_total', namespace),
        shed: of('cache_shed_fetches_total', namespace),
        fills: of('cache_fills_total', namespace),
        invalidations: of('cache_invalidations_total', namespace),
        unavailable: of('cache_errors_total', namespace, { kind: 'unavailable' }),
        refused: of('cache_errors_total', namespace, { kind: 'refused' }),
        corrupt: of('cache_errors_total', namespace, { kind: 'corrupt' }),
        failedRefills: of('cache_errors_total', namespace, { kind: 'failed_refill' }),
        audited: of('cache_audited_entries_total', namespace),
        wrong: of('cache_wrong_entries_total', namespace),
      }).map(([counter, count]) => [`${namespace} ${counter}`, count]),
    ),
  )
}

describe('/metrics', () => {
  let app: TestApp
  beforeEach(async () => {
    app = await startTestApp({ env: { CACHE_NEAR_MB: '8' } })
  })
  afterEach(() => app.stop())

  const requests = async (labels: Record<string, string>) =>
    sumOf(await readMetrics(app.origin), 'graphql_requests_total', labels)
  /** Answers are counted after they were sent. */
  const becomes = (labels: Record<string, string>, count: number) => until(async () => (await requests(labels)) === count)

  test('counts every request once, by operation and path', async () => {
    for (let times = 0; times < 10; times += 1) await app.query('query Shelf { product(id: "product_1") { name } }')
    for (let times = 0; times < 3; times += 1) await app.query('{ product(id: "product_2") { name } }')
    await app.query('mutation Refill { updateProductStock(productId: "product_1", stock: 9) { product { stock } } }')
    await becomes({}, 14)
    expect(await requests({ operation: 'Shelf', path: 'standard' })).toBe(2)
    expect(await requests({ operation: 'Shelf', path: 'compiled' })).toBe(8)
    expect(await requests({ operation: 'Shelf', path: 'compiled' })).toBe(8)
    expect(await requests({ operation: 'anonymous' })).toBe(3)
    expect(await requests({ operation: 'Refill', path: 'standard', outcome: 'ok' })).toBe(1)
    expect(sumOf(await readMetrics(app.origin), 'graphql_request_duration_seconds_count', { operation: 'Shelf' })).toBe(10)
  })

  test('distinguishes answers with errors from refused requests', async () => {
    await app.query('query Page { products(first: 1000) { totalCount } }')
    await becomes({ operation: 'Page', outcome: 'errors' }, 1)
    await app.query('query Invalid { nothing }')
    await app.query('{')
    await postBody(app, 'not json')
    await fetch(`${app.origin}/graphql?query={__typename}`, { headers: { origin: 'http://elsewhere.example' } })
    await becomes({ operation: 'unknown', outcome: 'refused' }, 4)
    await fetch(`${app.origin}/graphql`, { method: 'OPTIONS' })
    await fetch(`${app.origin}/nothing`)
    await app.query('{ __typename }')
    await becomes({ operation: 'anonymous' }, 1)
    expect(await requests({})).toBe(6)
  })

  test('counts errors by code, whichever layer refused the request, over all transports', async () => {
    const samples = () => readMetrics(app.origin)
    const counted = async () =>
      Object.fromEntries(
        (await samples())
          .filter(({ name, value }) => name === 'graphql_errors_total' && value > 0)
          .map(({ labels, value }) => [labels.code, value]),
      )
    await app.query('{ a: products(first: 1000) { totalCount } b: products(first: 1001) { totalCount } }')
    await app.query('{ nothing neither }')
    await postBody(app, 'not json')
    // Not HTTP, and an Expect header that cannot be met
    for (const bytes of ['HELO\r\n\r\n', headOf({ expect: 'gold' })]) {
      const client = await connectRaw(app.origin)
      client.socket.write(bytes)
      await client.closed
    }
    await fetch(`${app.origin}/graphql/stream?query={__typename}`)
    const refused = await openSocket(app, { headers: { origin: 'http://elsewhere.example' } })
    expect(refused.closed).toBeDefined()
    await until(async () => sumOf(await samples(), 'graphql_errors_total') === 7)
    expect(await counted()).toEqual({
      ...{ BAD_USER_INPUT: 1, GRAPHQL_VALIDATION_FAILED: 1, BAD_REQUEST: 3, SUBSCRIPTIONS_ONLY: 1, FORBIDDEN: 1 },
    })
  })

  test('counts subscriptions, and the events sent to subscribers', async () => {
    const seen = async () => {
      const samples = await readMetrics(app.origin)
      return ['graphql_subscription_connections', 'graphql_subscriptions_open'].map((name) => sumOf(samples, name))
    }
    const socket = subscriber(app, 'WebSocket')
    const first = socket.subscribe(productChanged, { ids: ['product_1'] })
    const second = socket.subscribe(productChanged, { ids: ['product_2'] })
    await waitUntilSubscribed(app, first, 1)
    await waitUntilSubscribed(app, second, 2)
    const stream = subscriber(app, 'server-sent events')
    const third = stream.subscribe(productChanged, { ids: ['product_1'] })
    await waitUntilSubscribed(app, third, 1)
    expect(await seen()).toEqual([2, 3])
    expect(sumOf(await readMetrics(app.origin), 'graphql_subscription_events_total', { outcome: 'ok' })).toBeGreaterThanOrEqual(3)
    second.stop()
    await until(async () => isDeepStrictEqual(await seen(), [2, 2]))
    stream.close()
    third.stop()
    socket.close()
    await until(async () => isDeepStrictEqual(await seen(), [0, 0]))
  })

  test('operation names invented by clients do not increase the number of series without bound', async () => {
    const names = Array.from({ length: 60 }, (_, index) => `Invented${index}`)
    for (const name of [...names, '__proto__', 'constructor', 'x'.repeat(200)]) await app.query(`query ${name} { __typename }`)
    await becomes({}, 63)
    const operations = (await readMetrics(app.origin)).filter(({ name }) => name === 'graphql_request_duration_seconds_count')
    expect(operations).toHaveLength(51)
    expect(await requests({ operation: 'other' })).toBe(13)
    await app.query('{ __typename }')
    await becomes({ operation: 'anonymous' }, 1)
  })

  test('counts statements, including those in transactions, and observes the invalidation lag', async () => {
    const before = sumOf(await readMetrics(app.origin), 'database_statement_duration_seconds_count')
    await app.query('{ user(id: "user_1") { id } }')
    await app.query('mutation { updateUser(input: { id: "user_1", name: "Other" }) { user { name } } }')
    const samples = await readMetrics(app.origin)
    expect(sumOf(samples, 'database_statement_duration_seconds_count') - before).toBeGreaterThanOrEqual(5)
    expect(sumOf(samples, 'invalidation_lag_seconds_count')).toBe(1)
    expect(sumOf(samples, 'invalidation_lag_seconds_sum')).toBeLessThan(60)
    await app.database.sql`update users set name = 'Elsewhere' where id in (2, 3)`
    await until(async () => sumOf(await readMetrics(app.origin), 'invalidation_lag_seconds_count') === 3)
    expect(sumOf(samples, 'cache_trusted')).toBe(1)
    expect(sumOf(samples, 'database_connections_max')).toBe(10)
  })

  test('statements that wait for a connection are counted until they have run', async () => {
    const locker = await app.database.sql.reserve()
    await locker`begin`
    await locker`lock table products`
    const answers = Array.from({ length: 14 }, (_, index) =>
      app.query(`mutation { updateProductStock(productId: "product_${index + 1}", stock: 1) { product { id } } }`),
    )
    const seen = async (name: string) => sumOf(await readMetrics(app.origin), name)
    await until(async () => (await seen('database_statements_running')) >= 10)
    await locker`commit`
    locker.release()
    await Promise.all(answers)
    await until(async () => (await seen('database_statements_running')) + (await seen('database_statements_waiting')) === 0)
  })

  test('the cache counters equal those of Query.stats', async () => {
    const document =
      '{ orders: user(id: "user_1") { orders(first: 3) { nodes { products { id } } } } missing: user(id: "user_99999") { id } }'
    for (let times = 0; times < 4; times += 1) await app.query(document)
    const counters = cacheCounters(await readMetrics(app.origin))
    expect(counters).toEqual(await stats(`${app.origin}/graphql`))
    expect(counters['users misses']).toBeGreaterThan(0)
  })
})

describe.skipIf(noRedis)('the backlog of invalidations', () => {
  test('grows while the cache is unavailable, and is 0 after the invalidations were delivered', async () => {
    const redis = await startRedis()
    const app = await startTestApp({ redisUrl: redis.url, env: { REDIS_HEALTH_INTERVAL_MS: '50' } })
    const backlog = async () => sumOf(await readMetrics(app.origin), 'invalidation_backlog_seconds')
    await redis.kill()
    await app.database.sql`update users set name = 'Elsewhere' where id = 2`
    await until(async () => (await backlog()) > 0.5)
    await redis.start()
    await until(async () => (await backlog()) === 0)
    await app.stop()
    await redis.stop()
  })
})

describe.skipIf(noRedis)('/metrics of two workers', () => {
  let redis: TestRedis
  let database: TestDatabase
  let built: BuiltServer
  let url: string
  beforeAll(async () => {
    ;[redis, database] = await Promise.all([startRedis(), createDatabase()])
    built = startBuiltServer({ WORKERS: '2', REDIS_URL: redis.url, DATABASE_URL: database.url, AUDIT_INTERVAL_MS: '0' })
    url = await waitUntilReady(built)
  })
  afterAll(async () => {
    built.child.kill('SIGTERM')
    await built.exited
    await Promise.all([redis.stop(), database.drop()])
  })
  const all = () => readMetrics(new URL(url).origin)

  test('either worker returns the metrics of both, and they add up', async () => {
    for (let times = 0; times < 20; times += 1) await query(url, 'query Both { user(id: "user_1") { id } }')
    await until(async () => sumOf(await all(), 'graphql_requests_total', { operation: 'Both' }) === 20)
    const samples = await all()
    const workers = samples.filter(({ name, labels }) => name === 'cache_trusted' && labels.worker !== undefined)
    expect(workers).toHaveLength(2)
    for (const { labels } of workers) {
      expect(sumOf(samples, 'graphql_requests_total', { operation: 'Both', worker: labels.worker as string })).toBeGreaterThan(0)
    }
    expect(sumOf(samples, 'workers_running')).toBe(2)
    expect(sumOf(samples, 'workers_answered')).toBe(2)
    // Each worker adds its counts to the shared sums once per second.
    const counters = cacheCounters(samples)
    await until(async () => isDeepStrictEqual(await stats(url), counters))
  })

  test('a frozen worker is omitted, and workers_answered reports it', async () => {
    const pids = [...built.output().matchAll(/"pid":(\d+),.*Server listening/g)].map(([, pid]) => Number(pid))
    process.kill(pids[0] as number, 'SIGSTOP')
    try {
      // The frozen worker gets some of the connections, and answers them later.
      const answers = Array.from({ length: 4 }, all)
      const samples = await Promise.race(answers)
      expect(sumOf(samples, 'workers_running')).toBe(2)
      expect(sumOf(samples, 'workers_answered')).toBe(1)
      process.kill(pids[0] as number, 'SIGCONT')
      await Promise.all(answers)
    } finally {
      process.kill(pids[0] as number, 'SIGCONT')
    }
    await until(async () => sumOf(await all(), 'workers_answered') === 2)
  })
})
