import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { request } from 'node:http'
import { ApolloServer } from '@apollo/server'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { startTestApp, type TestApp } from '../helpers/app.js'
import { readMetrics, sumOf } from '../helpers/prometheus.js'
import { connectRaw, postText } from '../helpers/raw-client.js'
import { noRedis, startRedis, type TestRedis } from '../helpers/redis.js'
import { customerToken, secret } from '../helpers/tokens.js'
import { until } from '../helpers/until.js'

/** 9 points: the second request overdraws a budget of 10, which takes most of a minute to be replenished. */
const page = '{ products(first: 100) { nodes { id } } }'
const cheap = '{ product(id: "product_1") { name } }'

async function ask({ origin }: TestApp, query: string, headers: Record<string, string> = {}, variables = {}) {
  const response = await fetch(`${origin}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ query, variables }),
  })
  const { status, headers: received } = response
  // biome-ignore lint/suspicious/noExplicitAny: the shape follows from the document
  const answer = (await response.json()) as any
  return { status, headers: received, retryAfter: received.get('retry-after'), ...answer }
}

/** Returns the number of successful requests before the first rejection. */
async function askUntilRejected(app: TestApp, query: string, headers?: Record<string, string>): Promise<number> {
  let answered = 0
  while ((await ask(app, query, headers)).status === 200) answered += 1
  return answered
}

describe('a client that has used up its budget', () => {
  let app: TestApp
  beforeAll(async () => {
    app = await startTestApp({ env: { RATE_LIMIT: '10', TRUSTED_PROXIES: '1', AUTH_JWT_SECRET: secret, CACHE_NEAR_MB: '8' } })
  })
  afterAll(() => app.stop())
  const from = (address: string) => ({ 'x-forwarded-for': address })

  test('is rejected until the budget is replenished, with Retry-After', async () => {
    expect(await askUntilRejected(app, page, from('192.0.2.1'))).toBe(2)
    const rejected = await ask(app, page, { ...from('192.0.2.1'), origin: 'https://studio.apollographql.com' })
    expect(rejected.status).toBe(429)
    expect(Number(rejected.retryAfter)).toBeGreaterThan(1)
    expect(rejected.errors).toEqual([
      {
        message: `Your budget is used up: retry in ${rejected.retryAfter} s`,
        extensions: { code: 'RATE_LIMITED', retryAfterSeconds: Number(rejected.retryAfter), requestId: expect.any(String) },
      },
    ])
    expect(rejected.headers.get('access-control-allow-origin')).toBe('https://studio.apollographql.com')
    expect(rejected.headers.get('x-content-type-options')).toBe('nosniff')
  })

  test('does not affect others: each address, IPv6 network and customer has its own budget', async () => {
    await askUntilRejected(app, page, from('192.0.2.2'))
    const status = async (headers: Record<string, string>) => (await ask(app, cheap, headers)).status
    expect(await status(from('192.0.2.2'))).toBe(429)
    expect(await status(from('192.0.2.3'))).toBe(200)
    await askUntilRejected(app, page, from('2001:db8:1:2::1'))
    expect(await status(from('2001:DB8:1:2:ffff::2'))).toBe(429)
    expect(await status(from('2001:db8:1:3::1'))).toBe(200)
    const [one, other] = await Promise.all([customerToken('user_1'), customerToken('user_2')])
    const withToken = (token: string) => ({ ...from('192.0.2.2'), authorization: `Bearer ${token}` })
    expect(await status(withToken(one))).toBe(200)
    await askUntilRejected(app, page, withToken(one))
    expect(await status({ ...withToken(one), ...from('192.0.2.9') })).toBe(429)
    expect(await status(withToken(other))).toBe(200)
  })

  test('cannot choose its address: only the one appended by the proxy counts', async () => {
    await askUntilRejected(app, page, from('203.0.113.1, 192.0.2.4'))
    expect((await ask(app, cheap, from('203.0.113.2, 192.0.2.4'))).status).toBe(429)
    expect((await ask(app, cheap, from('192.0.2.4'))).status).toBe(429)
  })

  test('pays for invalid documents, too', async () => {
    const statuses: number[] = []
    while (statuses.at(-1) !== 429) statuses.push((await ask(app, '{ nothing }', from('192.0.2.5'))).status)
    expect(statuses.length).toBeGreaterThan(1)
    expect(new Set(statuses)).toEqual(new Set([400, 429]))
  })

  test('pays for malformed requests and for documents that exceed a limit', async () => {
    const send = (address: string, body: string) =>
      fetch(`${app.origin}/graphql`, { method: 'POST', headers: { 'content-type': 'application/json', ...from(address) }, body })
    const tooMuch = JSON.stringify({ query: `{ stats { ${'a: revenue '.repeat(31)} } }` })
    for (const [address, body] of [
      ['192.0.2.20', '{"query": '],
      ['192.0.2.21', '[]'],
      ['192.0.2.22', tooMuch],
      ['192.0.2.23', JSON.stringify({ query: '{ __typename }'.padEnd(40_000) })],
    ] as const) {
      const statuses: number[] = []
      while (statuses.at(-1) !== 429 && statuses.length < 100) statuses.push((await send(address, body)).status)
      expect(statuses.at(-1), body.slice(0, 20)).toBe(429)
    }
  })

  test('that sends invalid tokens has to wait for the verification of new tokens; cached tokens and other addresses are not affected', async () => {
    const [good, fresh] = await Promise.all([customerToken('user_3'), customerToken('user_4')])
    const status = async (token: string, address = '192.0.2.24') =>
      (await ask(app, cheap, { ...from(address), authorization: `Bearer ${token}` })).status
    expect(await status(good)).toBe(200)
    expect(await status('bad')).toBe(401)
    // More than is replenished while this test runs
    await Promise.all(Array.from({ length: 30 }, (_, index) => status(`bad.${index}`)))
    expect(await status('bad.30')).toBe(429)
    expect(await status(fresh)).toBe(429)
    expect(await status(good)).toBe(200)
    expect((await ask(app, cheap, from('192.0.2.24'))).status).toBe(200)
    expect(await status(fresh, '192.0.2.25')).toBe(200)
  })

  test('may still request /health and send CORS preflights', async () => {
    await askUntilRejected(app, page, from('192.0.2.6'))
    expect((await fetch(`${app.origin}/health`, { headers: from('192.0.2.6') })).status).toBe(200)
    const preflight = {
      ...from('192.0.2.6'),
      origin: 'https://studio.apollographql.com',
      'access-control-request-method': 'POST',
    }
    expect((await fetch(`${app.origin}/graphql`, { method: 'OPTIONS', headers: preflight })).status).toBe(204)
  })

  test('pays on the fast path, too, and only once if the fast path falls back', async () => {
    const asked = vi.spyOn(ApolloServer.prototype, 'executeHTTPGraphQLRequest')
    const query = '{ a: product(id: "product_1") { name } }'
    for (let time = 0; time < 2; time += 1) await ask(app, query, from('192.0.2.7'))
    asked.mockClear()
    const answered = await askUntilRejected(app, query, from('192.0.2.8'))
    expect(answered).toBeGreaterThanOrEqual(4)
    expect(asked).not.toHaveBeenCalled()
    asked.mockRestore()
    // An invalid page size: the fast path finds out after it has charged the request.
    const failing = 'query($first: Int) { products(first: $first) { nodes { id } } }'
    for (let time = 0; time < 2; time += 1) await ask(app, failing, from('192.0.2.9'), { first: 1 })
    const rejected = await ask(app, failing, from('192.0.2.10'), { first: 101 })
    expect(rejected.errors[0].extensions.code).toBe('BAD_USER_INPUT')
    expect((await ask(app, cheap, from('192.0.2.10'))).status).toBe(200)
  })

  test('can ask for its remaining budget', async () => {
    const { extensions } = await ask(app, cheap, { ...from('192.0.2.11'), 'x-cost-report': '1' })
    expect(extensions.cost).toEqual({ requested: 3, maximum: 250, remaining: 7 })
  })

  test('cannot overdraw with concurrent requests', async () => {
    const all = await Promise.all(Array.from({ length: 30 }, () => ask(app, page, from('192.0.2.12'))))
    const answered = all.filter(({ status }) => status === 200).length
    expect(answered).toBe(2)
    for (const { status } of all) expect([200, 429]).toContain(status)
  })
})

describe('a budget is charged', () => {
  let app: TestApp
  beforeAll(async () => {
    app = await startTestApp({ env: { RATE_LIMIT: '60000' } })
  })
  afterAll(() => app.stop())

  const charged = async () => sumOf(await readMetrics(app.origin), 'graphql_cost_points_total')
  const query = '{ __typename }'
  const hash = (text: string) => createHash('sha256').update(text).digest('hex')
  const persisted = (text: string) => ({ persistedQuery: { version: 1, sha256Hash: hash(text) } })
  const novel = `{ ${Array.from({ length: 13 }, (_, index) => `a${index}: __typename`).join(' ')} }`
  const padded = `${query} #`.padEnd(5_120, 'x')

  test.each<[what: string, points: number, body: string, headers?: Record<string, string>]>([
    ['a new document with 42 nodes', 1 + 2, JSON.stringify({ query: novel })],
    ['the same document again', 1, JSON.stringify({ query: novel })],
    ['the same document on the fast path', 1, JSON.stringify({ query: novel })],
    ['a body of 4 times 6,144 bytes', 1 + 4, JSON.stringify({ query, variables: { unused: 'x'.repeat(24_600) } })],
    ['the same body on the fast path', 1 + 4, JSON.stringify({ query, variables: { unused: 'x'.repeat(24_600) } })],
    ['an object', 1 + 2, JSON.stringify({ query: cheap })],
    ['an invalid document', 5, JSON.stringify({ query: '{ nothing }' })],
    [
      'an invalid document of 45 nodes',
      2 + 5,
      JSON.stringify({ query: novel.replaceAll('__typename', 'nothing').replace('}', 'b }') }),
    ],
    ['broken JSON', 5, '{'],
    ['broken JSON of 4 times 6,144 bytes', 4 + 5, `{"query":"${'x'.repeat(24_600)}`],
    ['an unknown persisted query', 2, JSON.stringify({ extensions: persisted(padded) })],
    [
      'registering a persisted query of 80 times 64 characters',
      1 + 80,
      JSON.stringify({ query: padded, extensions: persisted(padded) }),
    ],
    ['a known persisted query', 1, JSON.stringify({ extensions: persisted(padded) })],
    ['a dry run', 2, JSON.stringify({ query: cheap }), { 'x-cost-report': 'dry-run' }],
    [
      'a document that could cost too much',
      1 + 5,
      JSON.stringify({ query: '{ users { nodes { orders(first: 100) { nodes { products { name } } } } } }' }),
    ],
  ])('for %s: %i points', async (_, points, body, headers) => {
    const before = await charged()
    await (
      await fetch(`${app.origin}/graphql`, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body })
    ).text()
    await until(async () => (await charged()) >= before + points)
    expect((await charged()) - before).toBe(points)
  })

  test('the same for a body with and without Content-Length', async () => {
    const before = await charged()
    const sent = request(`${app.origin}/graphql`, { method: 'POST', headers: { 'content-type': 'application/json' } })
    sent.write('{"query":"{ __typename }","more":"')
    sent.end(`${'x'.repeat(24_600)}"}`)
    const [response] = await once(sent, 'response')
    response.resume()
    await until(async () => (await charged()) >= before + 5)
    expect((await charged()) - before).toBe(5)
  })
})

describe('without a trusted proxy', () => {
  let app: TestApp
  beforeAll(async () => {
    app = await startTestApp({ env: { RATE_LIMIT: '10' } })
  })
  afterAll(() => app.stop())

  test('X-Forwarded-For is ignored', async () => {
    await askUntilRejected(app, page, { 'x-forwarded-for': '192.0.2.1' })
    expect((await ask(app, cheap, { 'x-forwarded-for': '192.0.2.2' })).status).toBe(429)
  })

  test('new connections of an address that keeps sending rejected requests are closed, and those of no other address', async () => {
    const answerTo = async (address: string) => {
      const client = await connectRaw(app.origin, address)
      client.socket.write(postText(cheap, { connection: 'close' }))
      await client.closed
      return client.received().slice(0, 'HTTP/1.1 200'.length)
    }
    const answers: string[] = []
    while (answers.at(-1) !== '') answers.push(await answerTo('127.0.0.4'))
    // More than one request may cost
    expect(answers.filter((answer) => answer === 'HTTP/1.1 429').length).toBeGreaterThan(250)
    expect(await answerTo('127.0.0.4')).toBe('')
    expect(await answerTo('127.0.0.5')).toBe('HTTP/1.1 200')
  })
})

describe.skipIf(noRedis)('with processes that share Redis', () => {
  let redis: TestRedis
  let one: TestApp
  let other: TestApp
  beforeAll(async () => {
    redis = await startRedis()
    const env = { RATE_LIMIT: '200', TRUSTED_PROXIES: '1' }
    one = await startTestApp({ redisUrl: redis.url, env })
    other = await startTestApp({ redisUrl: redis.url, env, database: one.database })
  })
  afterAll(async () => {
    await other.stop()
    await one.stop()
    await redis.stop()
  })
  const from = (address: string) => ({ 'x-forwarded-for': address })

  test('a budget is shared, with a tolerance of a twentieth per process', async () => {
    const client = from('192.0.2.1')
    const startedAt = performance.now()
    let answered = 0
    let rejected = 0
    while (rejected < 2) {
      rejected = 0
      for (const app of [one, other]) {
        if ((await ask(app, page, client)).status === 200) answered += 1
        else rejected += 1
      }
    }
    const replenished = ((performance.now() - startedAt) / 60_000) * 200
    expect(answered * 9).toBeGreaterThanOrEqual(200)
    expect(answered * 9).toBeLessThanOrEqual(200 + 2 * (10 + 9) + replenished)
    const [key] = await redis.client.keys('ecommerce:budgets:*')
    expect(key).toBe('ecommerce:budgets:192.0.2.1')
    expect(await redis.client.pttl(key as string)).toBeGreaterThan(0)
  })

  test('while Redis is unreachable each process limits clients by itself', async () => {
    await redis.kill()
    const client = from('192.0.2.2')
    for (const app of [one, other]) {
      const answered = await askUntilRejected(app, page, client)
      expect(answered * 9).toBeGreaterThanOrEqual(200)
    }
    await redis.start()
    // The usage of one process alone is replenished within seconds.
    await until(async () => Number((await ask(one, page, client)).retryAfter) > 20)
  })
})
