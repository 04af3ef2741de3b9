import { ApolloServer } from '@apollo/server'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, type MockInstance, test, vi } from 'vitest'
import { startTestApp, type TestApp } from '../helpers/app.js'
import { noRedis, startRedis, type TestRedis } from '../helpers/redis.js'
import { adminToken, ask, customerToken, secret } from '../helpers/tokens.js'

/** Reads a user's data by every path in the schema */
const document = `query Mine($user: ID!, $order: ID!) {
  user(id: $user) { email orders(first: 2) { nodes { id total } edges { node { userId } } totalCount } }
  order(id: $order) { total user { email name } products { name } }
  node(id: $order) { id ... on Order { total } }
  nodes(ids: [$user, $order, "product_1"]) { id ... on User { email } ... on Order { total } }
}`
const variables = { user: 'user_1', order: 'order_1' }
const nothing = { user: null, order: null, node: null, nodes: [null, null, { id: 'product_1' }] }

describe.skipIf(noRedis)('a hot query, with near store and Redis', () => {
  let redis: TestRedis
  let app: TestApp
  let apollo: MockInstance
  let clockOffsetMs = 0
  beforeAll(async () => {
    const real = Date.now
    vi.spyOn(Date, 'now').mockImplementation(() => real() + clockOffsetMs)
    redis = await startRedis()
    app = await startTestApp({
      redisUrl: redis.url,
      env: { AUTH_JWT_SECRET: secret, CACHE_NEAR_MB: '8' },
    })
    await app.database.sql`update orders set user_id = 1 where id = 1`
  })
  afterAll(async () => {
    vi.restoreAllMocks()
    await app.stop()
    await redis.stop()
  })
  beforeEach(() => {
    clockOffsetMs = 0
    apollo = vi.spyOn(ApolloServer.prototype, 'executeHTTPGraphQLRequest')
  })
  afterEach(() => {
    apollo.mockRestore()
  })

  /** The response to a repeated query, with the number of executions by Apollo */
  async function askOften(token: string | null, query = document) {
    await ask(app, token, query, variables)
    await ask(app, token, query, variables)
    await ask(app, token, query, variables)
    apollo.mockClear()
    const { status, data } = await ask(app, token, query, variables)
    return { status, data, byApollo: apollo.mock.calls.length }
  }

  /** Counters and figures come and go by themselves. */
  async function entryKeys(): Promise<string[]> {
    return (await redis.client.keys('ecommerce:v1:*')).toSorted()
  }

  test('returns only the data that each viewer may see, from the same entries, without Apollo', async () => {
    const admins = await askOften(await adminToken())
    expect(admins).toMatchObject({ status: 200, byApollo: 0, data: { order: { total: expect.any(Number) } } })
    const keys = await entryKeys()

    expect(await askOften(await customerToken('user_1'))).toEqual(admins)
    expect(await askOften(await customerToken('user_2'))).toEqual({ status: 200, data: nothing, byApollo: 0 })
    expect(await askOften(null)).toEqual({ status: 401, data: nothing, byApollo: 1 })
    expect(await askOften(await customerToken('user_1'))).toEqual(admins)
    expect(await entryKeys()).toEqual(keys)
  })

  test('for the catalogue needs neither token nor Apollo', async () => {
    const catalogue = '{ products(first: 2) { nodes { name price } } product(id: "product_1") { stock } }'
    expect(await askOften(null, catalogue)).toMatchObject({ status: 200, byApollo: 0 })
    expect(await askOften(await customerToken('user_9'), catalogue)).toMatchObject({ status: 200, byApollo: 0 })
  })

  test('reports cache sources to administrators only, and bypasses the cache for administrators only', async () => {
    const sourcesFor = async (token: string) => {
      const headers = { 'content-type': 'application/json', 'x-cache-report': '1', 'cache-control': 'no-cache' }
      const body = JSON.stringify({ query: document, variables })
      const options = { method: 'POST', headers: { ...headers, authorization: `Bearer ${token}` }, body }
      app.takeStatements()
      const { extensions } = (await (await fetch(`${app.origin}/graphql`, options)).json()) as { extensions?: object }
      return { isReported: extensions !== undefined, isBypassed: app.takeStatements().length > 0 }
    }
    await askOften(await adminToken())
    expect(await sourcesFor(await adminToken())).toEqual({ isReported: true, isBypassed: true })
    for (const user of ['user_1', 'user_2']) {
      expect(await sourcesFor(await customerToken(user))).toEqual({ isReported: false, isBypassed: false })
    }
  })

  test('is refused with an expired and with an altered token', async () => {
    const token = await customerToken('user_1')
    expect(await askOften(token)).toMatchObject({ status: 200, byApollo: 0 })
    expect((await ask(app, `${token.slice(0, -2)}xx`, document, variables)).status).toBe(401)
    clockOffsetMs = 3_600_000 + 11_000
    expect((await ask(app, token, document, variables)).status).toBe(401)
    expect(apollo).not.toHaveBeenCalled()
  })

  test('verifies a cached token again after a minute', async () => {
    const token = await customerToken('user_1')
    await askOften(token)
    clockOffsetMs = 61_000
    apollo.mockClear()
    await ask(app, token, document, variables)
    await ask(app, token, document, variables)
    expect(apollo).toHaveBeenCalledTimes(1)
  })
})
