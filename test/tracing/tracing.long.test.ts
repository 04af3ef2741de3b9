import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { freePort } from '../../tools/free-port.js'
import { startTestApp, type TestApp } from '../helpers/app.js'
import { type CollectedSpan, startCollector, treeOf } from '../helpers/collector.js'
import { createDatabase, type TestDatabase } from '../helpers/database.js'
import { noRedis, startRedis, type TestRedis } from '../helpers/redis.js'

type Collector = Awaited<ReturnType<typeof startCollector>>

const order = 'query Order { order(id: "order_1") { id user { name } } }'

describe.skipIf(noRedis)('traces', () => {
  let redis: TestRedis
  let collector: Collector
  let database: TestDatabase
  let app: TestApp
  let running: boolean
  beforeAll(async () => {
    database = await createDatabase()
  })
  afterAll(() => database.drop())
  beforeEach(async () => {
    ;[redis, collector] = await Promise.all([startRedis(), startCollector()])
  })
  afterEach(async () => {
    await stop()
    await Promise.all([redis.stop(), collector.stop()])
  })

  async function start(env: Record<string, string> = {}) {
    const traced = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, ...env }
    app = await startTestApp({ redisUrl: redis.url, database, env: traced })
    running = true
  }
  /** Stopping the app sends the remaining spans. */
  async function stop(): Promise<readonly CollectedSpan[]> {
    if (running) await app.stop()
    running = false
    return collector.spans
  }
  const named = (name: string) => collector.spans.filter((span) => span.name === name)
  const ask = (document: string, headers: Record<string, string> = {}) =>
    fetch(`${app.origin}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ query: document }),
    })

  test('a cold query is one tree: request, operation, reads, and their Redis commands and SQL statements', async () => {
    await start()
    await ask(order, { 'x-request-id': 'from-the-caller' })
    const spans = await stop()
    expect(withoutRenewals(treeOf(spans))).toEqual([
      'POST /graphql',
      '  query Order',
      '    read orders',
      '      MGET',
      '      EVALSHA lease',
      '      SELECT',
      '      EVALSHA fill',
      '    read users',
      '      MGET',
      '      EVALSHA lease',
      '      SELECT',
      '      EVALSHA fill',
    ])
    expect(new Set(spans.map(({ traceId }) => traceId)).size).toBe(1)
    expect(named('POST /graphql')[0]).toMatchObject({
      kind: 2,
      attributes: {
        'service.name': 'graphql-cached-shop',
        'http.request.method': 'POST',
        'http.route': '/graphql',
        'http.response.status_code': 200,
        'http.response.header.x-request-id': ['from-the-caller'],
      },
    })
    expect(named('query Order')[0]?.attributes).toMatchObject({
      'graphql.operation.type': 'query',
      'graphql.operation.name': 'Order',
      'graphql.path': 'standard',
    })
    expect(named('read users')[0]?.attributes).toMatchObject({ 'cache.namespace': 'users', 'cache.keys': 1, 'cache.miss': 1 })
    expect(named('MGET')[0]).toMatchObject({
      kind: 3,
      attributes: { 'db.system.name': 'redis', 'db.operation.name': 'MGET' },
    })
    const [statement] = named('SELECT')
    expect(statement).toMatchObject({ kind: 3, attributes: { 'db.system.name': 'postgresql', 'db.operation.name': 'SELECT' } })
    expect(statement?.attributes['db.query.text']).toMatch(/^select .* from orders .*\$1/)
    expect(collector.requests[0]?.path).toBe('/v1/traces')
  })

  test('a warm query has Redis spans only, and compiled queries have spans too', async () => {
    await start()
    for (let times = 0; times < 4; times += 1) await ask(order)
    await stop()
    const paths = named('query Order').map(({ attributes }) => attributes['graphql.path'])
    expect(paths.filter((path) => path === 'compiled')).toHaveLength(2)
    const compiled = named('query Order').find(({ attributes }) => attributes['graphql.path'] === 'compiled') as CollectedSpan
    const trace = collector.spans.filter(({ traceId }) => traceId === compiled.traceId)
    expect(treeOf(trace)).toEqual([
      'POST /graphql',
      '  query Order',
      '    read orders',
      '      MGET',
      '    read users',
      '      MGET',
    ])
    expect(compiled.attributes['graphql.operation.name']).toBe('Order')
    expect(named('read users').at(-1)?.attributes).toMatchObject({ 'cache.far': 1 })
  })

  test("continues the client's trace, with the client's sampling decision", async () => {
    await start()
    const traceId = '0af7651916cd43dd8448eb211c80319c'
    await ask(order, { traceparent: `00-${traceId}-b7ad6b7169203331-01` })
    await ask(order, { traceparent: '00-11111111111111111111111111111111-b7ad6b7169203331-00' })
    await ask('{ __typename }', { traceparent: 'nonsense' })
    await stop()
    expect(named('POST /graphql')).toHaveLength(2)
    expect(named('POST /graphql')[0]).toMatchObject({ traceId, parentSpanId: 'b7ad6b7169203331' })
    expect(named('POST /graphql')[1]?.parentSpanId).toBeUndefined()
  })

  test('requests that share a batch have separate spans', async () => {
    await start()
    const documents = Array.from({ length: 20 }, (_, index) => `query Q${index} { product(id: "product_${index + 1}") { name } }`)
    for (let times = 0; times < 3; times += 1) await Promise.all(documents.map((document) => ask(document)))
    await stop()
    expect(named('POST /graphql')).toHaveLength(60)
    for (const { spanId, traceId, name } of collector.spans.filter((span) => span.name.startsWith('query Q'))) {
      const below = collector.spans.filter(({ parentSpanId }) => parentSpanId === spanId)
      expect(below, name).toHaveLength(1)
      expect(below[0]).toMatchObject({ name: 'read products', traceId, attributes: { 'cache.keys': 1 } })
    }
  })

  test('a mutation has spans for its statements and the invalidation', async () => {
    await start()
    await ask('mutation Refill { updateProductStock(productId: "product_1", stock: 9) { product { stock } } }')
    const tree = treeOf(await stop())
    expect(tree.slice(0, 2)).toEqual(['POST /graphql', '  mutation Refill'])
    expect(tree).toContain('    UPDATE')
    expect(tree).toContain('    EVALSHA invalidate')
  })

  test('errors are recorded by code, without messages and values', async () => {
    await start()
    await ask('query Wrong { products(first: 1000, category: "hunter2") { totalCount } }')
    await ask('{ nothing }')
    await database.sql`alter table products rename to elsewhere`
    await ask('query Broken { product(id: "product_77") { name } }')
    await database.sql`alter table elsewhere rename to products`
    await stop()
    expect(named('query Wrong')[0]).toMatchObject({ status: 2, attributes: { 'error.type': 'BAD_USER_INPUT' } })
    expect(named('GraphQL Operation')[0]).toMatchObject({ status: 2, attributes: { 'error.type': 'GRAPHQL_VALIDATION_FAILED' } })
    expect(named('query Broken')[0]).toMatchObject({ status: 2, attributes: { 'error.type': 'INTERNAL_SERVER_ERROR' } })
    expect(named('SELECT')[0]).toMatchObject({ status: 2, attributes: { 'error.type': '42P01' } })
    const sent = collector.requests.map(({ body }) => body).join()
    expect(sent).not.toContain('hunter2')
    expect(sent).not.toContain('product_77')
  })

  test('only GraphQL requests are traced', async () => {
    await start()
    for (const path of ['/graphql', '/health', '/metrics', '/'])
      await fetch(`${app.origin}${path}`, { headers: { accept: 'text/html' } })
    await fetch(`${app.origin}/graphql?query={__typename}`, { headers: { 'apollo-require-preflight': '1' } })
    await stop()
    expect(treeOf(collector.spans)).toEqual(['GET /graphql', '  query'])
  })

  test('supports the standard variables for headers, service name and sampler', async () => {
    await start({
      OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20of-the-collector, x-tenant=shop',
      OTEL_SERVICE_NAME: 'shop-api',
      OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
      OTEL_TRACES_SAMPLER_ARG: '0.5',
    })
    for (let times = 0; times < 100; times += 1) await app.query('{ __typename }')
    await stop()
    expect(named('POST /graphql').length).toBeGreaterThan(10)
    expect(named('POST /graphql').length).toBeLessThan(90)
    expect(named('POST /graphql')[0]?.attributes['service.name']).toBe('shop-api')
    expect(collector.requests[0]?.headers).toMatchObject({ authorization: 'Bearer of-the-collector', 'x-tenant': 'shop' })
  })

  test('an unreachable collector affects neither requests nor the stop', async () => {
    await start({ OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${await freePort()}` })
    const answer = await app.query(order)
    expect(answer.data.order.id).toBe('order_1')
    await stop()
    expect(collector.spans).toEqual([])
  })
})

/** Removes lease renewals, which only occur if a statement takes long, as on a busy machine. */
function withoutRenewals(tree: readonly string[]): string[] {
  return tree.filter((line, index) => !line.endsWith('EVALSHA lease') || tree[index - 1]?.endsWith('MGET'))
}
