import { ApolloServer } from '@apollo/server'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { startTestApp, type TestApp } from '../helpers/app.js'
import { noRedis, startRedis, type TestRedis } from '../helpers/redis.js'
import { customerToken, secret } from '../helpers/tokens.js'
import { until } from '../helpers/until.js'

/** 101 points: a budget of 105 is overdrawn by the second, and needs the better part of a minute. */
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
    app = await startTestApp({ env: { RATE_LIMIT: '105', TRUSTED_PROXIES: '1', AUTH_JWT_SECRET: secret, CACHE_NEAR_MB: '8' } })
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
    expect(statuses.length).toBeGreaterThan(10)
    expect(new Set(statuses)).toEqual(new Set([400, 429]))
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
    expect(answered).toBeGreaterThanOrEqual(105)
    expect(asked).not.toHaveBeenCalled()
    asked.mockRestore()
    // A page that is refused: the lane finds out after it has charged for it.
    const failing = 'query($first: Int) { products(first: $first) { nodes { id } } }'
    for (let time = 0; time < 2; time += 1) await ask(app, failing, from('192.0.2.9'), { first: 1 })
    const refused = await ask(app, failing, from('192.0.2.10'), { first: 101 })
    expect(refused.errors[0].extensions.code).toBe('BAD_USER_INPUT')
    const { extensions } = await ask(app, cheap, { ...from('192.0.2.10'), 'x-cost-report': '1' })
    expect(extensions.cost.remaining).toBeGreaterThanOrEqual(105 - 101 - 1)
  })

  test('is told what remains', async () => {
    const { extensions } = await ask(app, cheap, { ...from('192.0.2.11'), 'x-cost-report': '1' })
    expect(extensions.cost).toEqual({ requested: 1, maximum: 5000, remaining: 104 })
  })

  test('cannot overdraw by asking for much at once', async () => {
    const all = await Promise.all(Array.from({ length: 30 }, () => ask(app, page, from('192.0.2.12'))))
    const answered = all.filter(({ status }) => status === 200).length
    expect(answered).toBe(2)
    for (const { status } of all) expect([200, 429]).toContain(status)
  })
})

describe('without a proxy that is trusted', () => {
  let app: TestApp
  beforeAll(async () => {
    app = await startTestApp({ env: { RATE_LIMIT: '105' } })
  })
  afterAll(() => app.stop())

  test('X-Forwarded-For means nothing', async () => {
    await askUntilRefused(app, page, { 'x-forwarded-for': '192.0.2.1' })
    expect((await ask(app, cheap, { 'x-forwarded-for': '192.0.2.2' })).status).toBe(429)
  })
})

describe.skipIf(noRedis)('over processes that share Redis', () => {
  let redis: TestRedis
  let one: TestApp
  let other: TestApp
  beforeAll(async () => {
    redis = await startRedis()
    const env = { RATE_LIMIT: '2000', TRUSTED_PROXIES: '1' }
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
    const forgiven = ((performance.now() - startedAt) / 60_000) * 2_000
    expect(answered * 101).toBeGreaterThanOrEqual(2_000)
    expect(answered * 101).toBeLessThanOrEqual(2_000 + 2 * (100 + 101) + forgiven)
    const [key] = await redis.client.keys('ecommerce:budgets:*')
    expect(key).toBe('ecommerce:budgets:192.0.2.1')
    expect(await redis.client.pttl(key as string)).toBeGreaterThan(0)
  })

  test('while Redis is away each goes on by itself, and none lets everything pass', async () => {
    await redis.kill()
    const client = from('192.0.2.2')
    for (const app of [one, other]) {
      const answered = await askUntilRefused(app, page, client)
      expect(answered * 101).toBeGreaterThanOrEqual(2_000)
    }
    await redis.start()
    // What one of them used alone is forgiven within some seconds.
    await until(async () => Number((await ask(one, page, client)).retryAfter) > 20)
  })
})
