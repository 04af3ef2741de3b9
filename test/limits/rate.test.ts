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

/** 9 points: a budget of 10 is overdrawn by the second, and needs the better part of a minute. */
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

/** How many are answered before one is refused */
async function askUntilRefused(app: TestApp, query: string, headers?: Record<string, string>): Promise<number> {
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

  test('is refused until something is forgiven, and told how long that takes', async () => {
    expect(await askUntilRefused(app, page, from('192.0.2.1'))).toBe(2)
    const refused = await ask(app, page, { ...from('192.0.2.1'), origin: 'https://studio.apollographql.com' })
    expect(refused.status).toBe(429)
    expect(Number(refused.retryAfter)).toBeGreaterThan(1)
    expect(refused.errors).toEqual([
      {
        message: `Your requests have cost as much as they may for now: wait ${refused.retryAfter} s`,
        extensions: { code: 'RATE_LIMITED', retryAfterSeconds: Number(refused.retryAfter), requestId: expect.any(String) },
      },
    ])
    expect(refused.headers.get('access-control-allow-origin')).toBe('https://studio.apollographql.com')
    expect(refused.headers.get('x-content-type-options')).toBe('nosniff')
  })

  test('does not take that of others: each address, network of IPv6 and customer has its own', async () => {
    await askUntilRefused(app, page, from('192.0.2.2'))
    const status = async (headers: Record<string, string>) => (await ask(app, cheap, headers)).status
    expect(await status(from('192.0.2.2'))).toBe(429)
    expect(await status(from('192.0.2.3'))).toBe(200)
    await askUntilRefused(app, page, from('2001:db8:1:2::1'))
    expect(await status(from('2001:DB8:1:2:ffff::2'))).toBe(429)
    expect(await status(from('2001:db8:1:3::1'))).toBe(200)
    const [one, other] = await Promise.all([customerToken('user_1'), customerToken('user_2')])
    const withToken = (token: string) => ({ ...from('192.0.2.2'), authorization: `Bearer ${token}` })
    expect(await status(withToken(one))).toBe(200)
    await askUntilRefused(app, page, withToken(one))
    expect(await status({ ...withToken(one), ...from('192.0.2.9') })).toBe(429)
    expect(await status(withToken(other))).toBe(200)
  })

  test('cannot choose its address: only what the proxy wrote counts', async () => {
    await askUntilRefused(app, page, from('203.0.113.1, 192.0.2.4'))
    expect((await ask(app, cheap, from('203.0.113.2, 192.0.2.4'))).status).toBe(429)
    expect((await ask(app, cheap, from('192.0.2.4'))).status).toBe(429)
  })

  test('is not helped by asking for what is wrong', async () => {
    const statuses: number[] = []
    while (statuses.at(-1) !== 429) statuses.push((await ask(app, '{ nothing }', from('192.0.2.5'))).status)
    expect(statuses.length).toBeGreaterThan(1)
    expect(new Set(statuses)).toEqual(new Set([400, 429]))
  })

  test('is not helped by requests that are none, nor by documents that cost too much', async () => {
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

  test('has to wait where it sends tokens that are not good, with others that are not known yet; nobody else does', async () => {
    const [good, fresh] = await Promise.all([customerToken('user_3'), customerToken('user_4')])
    const status = async (token: string, address = '192.0.2.24') =>
      (await ask(app, cheap, { ...from(address), authorization: `Bearer ${token}` })).status
    expect(await status(good)).toBe(200)
    expect(await status('bad')).toBe(401)
    // More than is forgiven while this test runs
    await Promise.all(Array.from({ length: 30 }, (_, index) => status(`bad.${index}`)))
    expect(await status('bad.30')).toBe(429)
    expect(await status(fresh)).toBe(429)
    expect(await status(good)).toBe(200)
    expect((await ask(app, cheap, from('192.0.2.24'))).status).toBe(200)
    expect(await status(fresh, '192.0.2.25')).toBe(200)
  })

  test('may still ask for its health, and ask before another site asks', async () => {
    await askUntilRefused(app, page, from('192.0.2.6'))
    expect((await fetch(`${app.origin}/health`, { headers: from('192.0.2.6') })).status).toBe(200)
    const preflight = {
      ...from('192.0.2.6'),
      origin: 'https://studio.apollographql.com',
      'access-control-request-method': 'POST',
    }
    expect((await fetch(`${app.origin}/graphql`, { method: 'OPTIONS', headers: preflight })).status).toBe(204)
  })

  test('pays in the lane, too, and once where the lane gives up', async () => {
    const asked = vi.spyOn(ApolloServer.prototype, 'executeHTTPGraphQLRequest')
    const query = '{ a: product(id: "product_1") { name } }'
    for (let time = 0; time < 2; time += 1) await ask(app, query, from('192.0.2.7'))
    asked.mockClear()
    const answered = await askUntilRefused(app, query, from('192.0.2.8'))
    expect(answered).toBeGreaterThanOrEqual(4)
    expect(asked).not.toHaveBeenCalled()
    asked.mockRestore()
    // A page that is refused: the lane finds out after it has charged for it.
    const failing = 'query($first: Int) { products(first: $first) { nodes { id } } }'
    for (let time = 0; time < 2; time += 1) await ask(app, failing, from('192.0.2.9'), { first: 1 })
    const refused = await ask(app, failing, from('192.0.2.10'), { first: 101 })
    expect(refused.errors[0].extensions.code).toBe('BAD_USER_INPUT')
    expect((await ask(app, cheap, from('192.0.2.10'))).status).toBe(200)
  })

  test('is told what remains', async () => {
    const { extensions } = await ask(app, cheap, { ...from('192.0.2.11'), 'x-cost-report': '1' })
    expect(extensions.cost).toEqual({ requested: 3, maximum: 250, remaining: 7 })
  })

  test('cannot overdraw by asking for much at once', async () => {
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
    ['a document that is new, and has 42 nodes', 1 + 2, JSON.stringify({ query: novel })],
    ['the same again', 1, JSON.stringify({ query: novel })],
    ['and in the lane', 1, JSON.stringify({ query: novel })],
    ['a body of 4 times 6,144 bytes', 1 + 4, JSON.stringify({ query, variables: { unused: 'x'.repeat(24_600) } })],
    ['the same in the lane', 1 + 4, JSON.stringify({ query, variables: { unused: 'x'.repeat(24_600) } })],
    ['an object', 1 + 2, JSON.stringify({ query: cheap })],
    ['an invalid document', 5, JSON.stringify({ query: '{ nothing }' })],
    [
      'an invalid document of 45 nodes',
      2 + 5,
      JSON.stringify({ query: novel.replaceAll('__typename', 'nothing').replace('}', 'b }') }),
    ],
    ['broken JSON', 5, '{'],
    ['broken JSON of 4 times 6,144 bytes', 4 + 5, `{"query":"${'x'.repeat(24_600)}`],
    ['a persisted query that is not there', 2, JSON.stringify({ extensions: persisted(padded) })],
    [
      'one that is registered, of 80 times 64 characters',
      1 + 80,
      JSON.stringify({ query: padded, extensions: persisted(padded) }),
    ],
    ['one that is there', 1, JSON.stringify({ extensions: persisted(padded) })],
    ['a dry run', 2, JSON.stringify({ query: cheap }), { 'x-cost-report': 'dry-run' }],
    [
      'what could cost too much',
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

  test('for a body without a length as for one with', async () => {
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

describe('without a proxy that is trusted', () => {
  let app: TestApp
  beforeAll(async () => {
    app = await startTestApp({ env: { RATE_LIMIT: '10' } })
  })
  afterAll(() => app.stop())

  test('X-Forwarded-For means nothing', async () => {
    await askUntilRefused(app, page, { 'x-forwarded-for': '192.0.2.1' })
    expect((await ask(app, cheap, { 'x-forwarded-for': '192.0.2.2' })).status).toBe(429)
  })

  test('an address that goes on asking while it is refused is closed when it comes, and no other', async () => {
    const answerTo = async (address: string) => {
      const client = await connectRaw(app.origin, address)
      client.socket.write(postText(cheap, { connection: 'close' }))
      await client.closed
      return client.received().slice(0, 'HTTP/1.1 200'.length)
    }
    const answers: string[] = []
    while (answers.at(-1) !== '') answers.push(await answerTo('127.0.0.4'))
    // More than a request may cost
    expect(answers.filter((answer) => answer === 'HTTP/1.1 429').length).toBeGreaterThan(250)
    expect(await answerTo('127.0.0.4')).toBe('')
    expect(await answerTo('127.0.0.5')).toBe('HTTP/1.1 200')
  })
})

describe.skipIf(noRedis)('over processes that share Redis', () => {
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

  test('a budget is the same for all, within a twentieth for each', async () => {
    const client = from('192.0.2.1')
    const startedAt = performance.now()
    let answered = 0
    let refused = 0
    while (refused < 2) {
      refused = 0
      for (const app of [one, other]) {
        if ((await ask(app, page, client)).status === 200) answered += 1
        else refused += 1
      }
    }
    const forgiven = ((performance.now() - startedAt) / 60_000) * 200
    expect(answered * 9).toBeGreaterThanOrEqual(200)
    expect(answered * 9).toBeLessThanOrEqual(200 + 2 * (10 + 9) + forgiven)
    const [key] = await redis.client.keys('ecommerce:budgets:*')
    expect(key).toBe('ecommerce:budgets:192.0.2.1')
    expect(await redis.client.pttl(key as string)).toBeGreaterThan(0)
  })

  test('while Redis is away each goes on by itself, and none lets everything pass', async () => {
    await redis.kill()
    const client = from('192.0.2.2')
    for (const app of [one, other]) {
      const answered = await askUntilRefused(app, page, client)
      expect(answered * 9).toBeGreaterThanOrEqual(200)
    }
    await redis.start()
    // What one of them used alone is forgiven within some seconds.
    await until(async () => Number((await ask(one, page, client)).retryAfter) > 20)
  })
})
