import { createHash } from 'node:crypto'
import { ApolloServer } from '@apollo/server'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { PersistedQueries } from '../../src/http/documents/persisted-queries.js'
import { startTestApp, type TestApp } from '../helpers/app.js'
import { createClock } from '../helpers/clock.js'
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
/** A document that no other test uses */
function newDocument() {
  documentsSoFar += 1
  const query = `query P($id: ID!) { product${documentsSoFar}: product(id: $id) { id name } }`
  return { query, hash: hashOf(query), name: `product${documentsSoFar}`, variables: { id: 'product_1' } }
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

  test('is unknown, then registered with its text, then known to every process', async () => {
    const document = newDocument()
    const unknown = await ask(document)
    expect(unknown.json).toMatchObject({ errors: [{ message: 'PersistedQueryNotFound' }] })
    expect(unknown.json).toMatchObject(notFound)
    expect(unknown.headers['cache-control']).toBe('no-store')
    const registered = await register(document)
    expect(registered.json.data[document.name].id).toBe('product_1')
    for (const app of [first, second]) expect((await ask(document, app)).text).toBe(registered.text)
    const key = `ecommerce:apq:${document.hash}`
    expect(await redis.client.get(key)).toBe(document.query)
    expect(await redis.client.pttl(key)).toBeGreaterThan(hourMs - 60_000)
  })

  test('expires an hour after its last use', async () => {
    const [document, unused] = [newDocument(), newDocument()]
    const key = `ecommerce:apq:${document.hash}`
    await register(document)
    await redis.client.pexpire(key, hourMs / 2)
    // This process has just written it, so its next use does not renew it.
    await ask(document)
    expect(await redis.client.pttl(key)).toBeLessThanOrEqual(hourMs / 2)
    // The other process has only read it.
    await until(async () => {
      await ask(document, second)
      return (await redis.client.pttl(key)) > hourMs / 2
    })
    await register(unused)
    await redis.client.del(`ecommerce:apq:${unused.hash}`)
    expect((await ask(unused, second)).json).toMatchObject(notFound)
  })

  test('works with GET as well', async () => {
    const document = newDocument()
    const parameters = {
      variables: JSON.stringify(document.variables),
      extensions: JSON.stringify(byHash(document.hash).extensions),
    }
    expect((await get(second.origin, parameters)).json).toMatchObject(notFound)
    const registered = await get(first.origin, { ...parameters, query: document.query })
    const asked = await get(second.origin, parameters)
    expect([asked.status, asked.text, asked.headers.etag]).toEqual([200, registered.text, registered.headers.etag])
    expect(asked.headers['cache-control']).toContain('public')
  })

  test('is answered on the fast path like its text, with the same headers', async () => {
    const document = newDocument()
    await register(document)
    const apollo = vi.spyOn(ApolloServer.prototype, 'executeHTTPGraphQLRequest')
    const headers = { 'x-request-id': 'mine' }
    const answers = []
    for (let times = 0; times < 5; times += 1) {
      answers.push(await send(first.origin, { headers, body: { variables: document.variables, ...byHash(document.hash) } }))
    }
    expect(apollo).toHaveBeenCalledTimes(1)
    const byText = await send(first.origin, { headers, body: { query: document.query, variables: document.variables } })
    expect(apollo).toHaveBeenCalledTimes(1)
    for (const { status, text, headers } of answers) {
      expect([status, text]).toEqual([200, byText.text])
      expect(Object.entries({ ...headers, date: '' })).toEqual(Object.entries({ ...byText.headers, date: '' }))
    }
  })

  test('is refused if the hash is not that of the text', async () => {
    const [document, other] = [newDocument(), newDocument()]
    const { status, json } = await send(first.origin, {
      body: { query: document.query, variables: document.variables, ...byHash(other.hash) },
    })
    expect([status, json.errors[0].message]).toEqual([400, 'provided sha does not match query'])
    expect((await ask(other)).json).toMatchObject(notFound)
  })

  test('is ignored if Redis has another text under its hash, and is then repaired there', async () => {
    const document = newDocument()
    await redis.client.set(`ecommerce:apq:${document.hash}`, '{ users { nodes { email } } }')
    expect((await ask(document)).json).toMatchObject(notFound)
    await register(document)
    expect(await redis.client.get(`ecommerce:apq:${document.hash}`)).toBe(document.query)
    expect((await ask(document, second)).status).toBe(200)
  })

  test.each([[7], [null], [{}], [['a'.repeat(64)]]])('is refused if the hash is not a string: %j', async (hash) => {
    const { status, json } = await send(first.origin, { body: byHash(hash) })
    expect([status, json.errors[0].extensions.code]).toEqual([400, 'BAD_REQUEST'])
  })

  test.each([['x'], [''], ['A'.repeat(64)], [`${'a'.repeat(64)}\n`]])(
    'is unknown if the string is not a hash: %j',
    async (hash) => {
      const { json } = await send(first.origin, { body: byHash(hash) })
      expect(json).toMatchObject(notFound)
    },
  )

  test('is refused in an unsupported version', async () => {
    const document = newDocument()
    const { status, json } = await send(first.origin, { body: { variables: document.variables, ...byHash(document.hash, 2) } })
    expect([status, json.errors[0].message]).toEqual([400, 'Unsupported persisted query version'])
  })

  test('is not stored if it is too long or invalid', async () => {
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

  describe('while Redis is down', () => {
    beforeEach(() => redis.kill())
    afterEach(() => redis.start())

    test('is known to the process where it was registered; others ask for the text, and then execute it', async () => {
      const document = newDocument()
      expect((await ask(document)).json).toMatchObject(notFound)
      expect((await register(document)).json.data[document.name].id).toBe('product_1')
      expect((await ask(document)).json.data[document.name].id).toBe('product_1')
      expect((await ask(document, second)).json).toMatchObject(notFound)
      expect((await register(document, second)).json.data[document.name].id).toBe('product_1')
    })
  })
})

test('without Redis, persisted queries are per process', async () => {
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

test('a process that uses a query renews it in the shared store, at most every quarter of an hour', async () => {
  const { query, hash } = newDocument()
  const clock = createClock()
  const writes: [hash: string, text: string, ttlMs: number][] = []
  const write = async (...written: (typeof writes)[number]) => void writes.push(written)
  const queries = new PersistedQueries({ shared: { read: async () => null, write }, now: clock.now })
  await queries.set(`apq:${hash}`, query)
  clock.advance(hourMs / 4)
  expect(queries.getFromMemory(hash)).toBe(query)
  expect(writes).toEqual([[hash, query, hourMs]])
  clock.advance(1)
  for (let uses = 0; uses < 2; uses += 1) expect(queries.getFromMemory(hash)).toBe(query)
  expect(writes).toEqual(Array(2).fill([hash, query, hourMs]))
})
