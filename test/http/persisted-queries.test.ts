import { createHash } from 'node:crypto'
import { ApolloServer } from '@apollo/server'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { startTestApp, type TestApp } from '../helpers/app.js'
import { noRedis, startRedis, type TestRedis } from '../helpers/redis.js'
import { get, send } from '../helpers/send.js'
import { until } from '../helpers/until.js'

const hourMs = 3_600_000
const hashOf = (query: string) => createHash('sha256').update(query).digest('hex')
const byHash = (sha256Hash: unknown, version = 1) => ({ extensions: { persistedQuery: { version, sha256Hash } } })
const notFound = {
  errors: [expect.objectContaining({ extensions: expect.objectContaining({ code: 'PERSISTED_QUERY_NOT_FOUND' }) })],
}

let documentsSoFar = 0
/** Like no other */
function newDocument() {
  documentsSoFar += 1
  const query = `query P($id: ID!) { its${documentsSoFar}: product(id: $id) { id name } }`
  return { query, hash: hashOf(query), name: `its${documentsSoFar}`, variables: { id: 'product_1' } }
}

describe.skipIf(noRedis)('a query persisted by its hash', () => {
  let redis: TestRedis
  let first: TestApp
  let second: TestApp
  beforeAll(async () => {
    redis = await startRedis()
    const env = { CACHE_NEAR_MB: '8', REDIS_HEALTH_INTERVAL_MS: '20' }
    first = await startTestApp({ redisUrl: redis.url, env })
    second = await startTestApp({ redisUrl: redis.url, env, database: first.database })
  })
  afterAll(async () => {
    await second.stop()
    await first.stop()
    await redis.stop()
  })
  afterEach(() => {
    vi.restoreAllMocks()
  })

  const register = ({ query, hash, variables }: ReturnType<typeof newDocument>, app = first) =>
    send(app.origin, { body: { query, variables, ...byHash(hash) } })
  const ask = ({ hash, variables }: ReturnType<typeof newDocument>, app = first) =>
    send(app.origin, { body: { variables, ...byHash(hash) } })

  test('is unknown, is registered with its text, and known to every process then', async () => {
    const its = newDocument()
    const unknown = await ask(its)
    expect(unknown.json).toMatchObject({ errors: [{ message: 'PersistedQueryNotFound' }] })
    expect(unknown.json).toMatchObject(notFound)
    expect(unknown.headers['cache-control']).toBe('no-store')
    const registered = await register(its)
    expect(registered.json.data[its.name].id).toBe('product_1')
    for (const app of [first, second]) expect((await ask(its, app)).text).toBe(registered.text)
    const key = `ecommerce:apq:${its.hash}`
    expect(await redis.client.get(key)).toBe(its.query)
    expect(await redis.client.pttl(key)).toBeGreaterThan(hourMs - 60_000)
  })

  test('is known as long as it is asked for within an hour, and no longer', async () => {
    const its = newDocument()
    const key = `ecommerce:apq:${its.hash}`
    const { now } = performance
    let ahead = 0
    vi.spyOn(performance, 'now').mockImplementation(() => now.call(performance) + ahead)
    await register(its)
    await redis.client.pexpire(key, hourMs / 2)
    // Asked for soon after, it is not written again.
    await ask(its)
    expect(await redis.client.pttl(key)).toBeLessThanOrEqual(hourMs / 2)
    ahead = hourMs / 2
    await ask(its)
    await until(async () => (await redis.client.pttl(key)) > hourMs / 2)
    await redis.client.del(key)
    expect((await ask(its, second)).json).toMatchObject(notFound)
  })

  test('is asked by GET as well', async () => {
    const its = newDocument()
    const parameters = { variables: JSON.stringify(its.variables), extensions: JSON.stringify(byHash(its.hash).extensions) }
    expect((await get(second.origin, parameters)).json).toMatchObject(notFound)
    const registered = await get(first.origin, { ...parameters, query: its.query })
    const asked = await get(second.origin, parameters)
    expect([asked.status, asked.text, asked.headers.etag]).toEqual([200, registered.text, registered.headers.etag])
    expect(asked.headers['cache-control']).toContain('public')
  })

  test('comes from the lane when it is hot, as its text does, with the same headers', async () => {
    const its = newDocument()
    await register(its)
    const apollo = vi.spyOn(ApolloServer.prototype, 'executeHTTPGraphQLRequest')
    const headers = { 'x-request-id': 'mine' }
    const answers = []
    for (let times = 0; times < 5; times += 1) {
      answers.push(await send(first.origin, { headers, body: { variables: its.variables, ...byHash(its.hash) } }))
    }
    expect(apollo).toHaveBeenCalledTimes(1)
    const byText = await send(first.origin, { headers, body: { query: its.query, variables: its.variables } })
    expect(apollo).toHaveBeenCalledTimes(1)
    for (const { status, text, headers } of answers) {
      expect([status, text]).toEqual([200, byText.text])
      expect(Object.entries({ ...headers, date: '' })).toEqual(Object.entries({ ...byText.headers, date: '' }))
    }
  })

  test('is not taken for another: the hash has to be that of the text', async () => {
    const [its, other] = [newDocument(), newDocument()]
    const { status, json } = await send(first.origin, {
      body: { query: its.query, variables: its.variables, ...byHash(other.hash) },
    })
    expect([status, json.errors[0].message]).toEqual([400, 'provided sha does not match query'])
    expect((await ask(other)).json).toMatchObject(notFound)
  })

  test('is not believed from Redis where it is another text, and mended there', async () => {
    const its = newDocument()
    await redis.client.set(`ecommerce:apq:${its.hash}`, '{ users { nodes { email } } }')
    expect((await ask(its)).json).toMatchObject(notFound)
    await register(its)
    expect(await redis.client.get(`ecommerce:apq:${its.hash}`)).toBe(its.query)
    expect((await ask(its, second)).status).toBe(200)
  })

  test.each([[7], [null], [{}], [['a'.repeat(64)]]])('is refused under what is no text: %j', async (hash) => {
    const { status, json } = await send(first.origin, { body: byHash(hash) })
    expect([status, json.errors[0].extensions.code]).toEqual([400, 'BAD_REQUEST'])
  })

  test.each([['x'], [''], ['A'.repeat(64)], [`${'a'.repeat(64)}\n`]])('is unknown under what is no hash: %j', async (hash) => {
    const { json } = await send(first.origin, { body: byHash(hash) })
    expect(json).toMatchObject(notFound)
  })

  test('is refused in a version that there is not', async () => {
    const its = newDocument()
    const { status, json } = await send(first.origin, { body: { variables: its.variables, ...byHash(its.hash, 2) } })
    expect([status, json.errors[0].message]).toEqual([400, 'Unsupported persisted query version'])
  })

  test('is not kept where it is very long, or not valid', async () => {
    const long = newDocument()
    long.query += ` #${'x'.repeat(40_000)}`
    long.hash = hashOf(long.query)
    expect((await register(long)).json.errors[0].extensions).toMatchObject({ code: 'LIMIT_EXCEEDED', limit: 'characters' })
    await redis.client.set(`ecommerce:apq:${long.hash}`, long.query)
    expect((await ask(long)).json).toMatchObject(notFound)
    await redis.client.del(`ecommerce:apq:${long.hash}`)
    const invalid = { ...newDocument(), query: '{ nothing }', hash: hashOf('{ nothing }') }
    expect((await register(invalid)).status).toBe(400)
    expect((await ask(invalid)).json).toMatchObject(notFound)
    expect(await redis.client.exists(`ecommerce:apq:${long.hash}`, `ecommerce:apq:${invalid.hash}`)).toBe(0)
  })

  describe('while Redis is away', () => {
    beforeEach(() => redis.kill())
    afterEach(() => redis.start())

    test('is known to the process that it was registered at; others ask for the text, and answer it', async () => {
      const its = newDocument()
      expect((await ask(its)).json).toMatchObject(notFound)
      expect((await register(its)).json.data[its.name].id).toBe('product_1')
      expect((await ask(its)).json.data[its.name].id).toBe('product_1')
      expect((await ask(its, second)).json).toMatchObject(notFound)
      expect((await register(its, second)).json.data[its.name].id).toBe('product_1')
    })
  })
})

test('without Redis, persisted queries are those of the process', async () => {
  const app = await startTestApp()
  try {
    const { query, hash, variables } = newDocument()
    expect((await send(app.origin, { body: { variables, ...byHash(hash) } })).json).toMatchObject(notFound)
    await send(app.origin, { body: { query, variables, ...byHash(hash) } })
    expect((await send(app.origin, { body: { variables, ...byHash(hash) } })).status).toBe(200)
  } finally {
    await app.stop()
  }
})
