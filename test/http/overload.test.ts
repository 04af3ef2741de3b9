import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../helpers/app.js'
import { lock, waitingStatements } from '../helpers/locks.js'
import { readMetrics, sumOf } from '../helpers/prometheus.js'
import { connectRaw, headOf, postText } from '../helpers/raw-client.js'
import { noRedis, startRedis, type TestRedis } from '../helpers/redis.js'
import { until } from '../helpers/until.js'

const product = (id: number) => `{ product(id: "product_${id}") { id } }`

async function ask(app: TestApp, document: string, headers: Record<string, string> = {}) {
  const response = await fetch(`${app.origin}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ query: document }),
  })
  return {
    status: response.status,
    headers: response.headers,
    ...((await response.json()) as { data?: unknown; errors?: unknown[] }),
  }
}

describe.skipIf(noRedis)('at the limit of requests in flight', () => {
  let app: TestApp
  let redis: TestRedis
  let release: () => Promise<void>
  afterEach(async () => {
    await release()
    await app.stop()
    await redis.stop()
  })

  test('other requests are refused at once, unless their data is cached; afterwards all are answered', async () => {
    redis = await startRedis()
    app = await startTestApp({
      redisUrl: redis.url,
      env: { CACHE_NEAR_MB: '8', MAX_IN_FLIGHT: '2' },
    })
    const hot = 'query Hot($id: ID!) { product(id: $id) { id } }'
    const askHot = (id: string) =>
      fetch(`${app.origin}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ query: hot, variables: { id } }),
      })
    // Until it is compiled, and answered from the near store
    for (let nearHits = 0; nearHits < 3; nearHits = sumOf(await readMetrics(app.origin), 'cache_hits_total', { store: 'near' }))
      await (await askHot('product_1')).text()
    release = await lock(app.database, 'lock table products in access exclusive mode')
    const waiting = [ask(app, product(10)), ask(app, product(11))]
    await until(async () => (await waitingStatements(app.database)).length === 2)

    const refused = await ask(app, product(12), { origin: 'https://studio.apollographql.com', 'x-request-id': 'mine' })
    expect(refused).toMatchObject({
      status: 503,
      errors: [
        {
          message: 'The server is overloaded, try again in a moment',
          extensions: { code: 'OVERLOADED', requestId: 'mine' },
        },
      ],
    })
    expect(Object.fromEntries(refused.headers)).toMatchObject({
      'retry-after': '1',
      'content-type': 'application/json; charset=utf-8',
      'access-control-allow-origin': 'https://studio.apollographql.com',
    })
    expect(await (await askHot('product_1')).json()).toEqual({ data: { product: { id: 'product_1' } } })
    expect((await askHot('product_13')).status).toBe(503)
    const stream = encodeURIComponent('subscription { productChanged(ids: ["product_1"]) { id } }')
    const subscribed = await fetch(`${app.origin}/graphql/stream?query=${stream}`)
    expect([subscribed.status, await subscribed.json()]).toMatchObject([
      503,
      { errors: [{ extensions: { code: 'OVERLOADED' } }] },
    ])
    expect((await fetch(`${app.origin}/health`)).status).toBe(200)
    expect((await fetch(app.origin)).status).toBe(200)

    await release()
    expect((await Promise.all(waiting)).map(({ status }) => status)).toEqual([200, 200])
    expect((await ask(app, product(12))).data).toEqual({ product: { id: 'product_12' } })
    expect(await (await askHot('product_13')).json()).toEqual({ data: { product: { id: 'product_13' } } })
  })

  test('a request whose connection is closed frees its capacity', async () => {
    redis = await startRedis()
    app = await startTestApp({ redisUrl: redis.url, env: { MAX_IN_FLIGHT: '2' } })
    release = await lock(app.database, 'lock table products in access exclusive mode')
    const clients = await Promise.all([connectRaw(app.origin), connectRaw(app.origin)])
    for (const [index, { socket }] of clients.entries()) socket.write(postText(product(10 + index)))
    await until(async () => (await waitingStatements(app.database)).length === 2)
    expect((await ask(app, product(12))).status).toBe(503)
    for (const { socket } of clients) socket.destroy()
    await release()
    await until(async () => (await ask(app, product(12))).status === 200)
    const both = await Promise.all([ask(app, product(13)), ask(app, product(14))])
    expect(both.map(({ status }) => status)).toEqual([200, 200])
  })
})

describe('one network', () => {
  let app: TestApp
  beforeAll(async () => {
    app = await startTestApp({ env: { MAX_IN_FLIGHT: '100' } })
  })
  afterAll(() => app.stop())

  let sent = 0
  const answerTo = async (address: string) => {
    const client = await connectRaw(app.origin, address)
    sent += 1
    // A new document each time, because the fast path would answer a compiled one.
    client.socket.write(postText(`{ a${sent}: __typename }`, { connection: 'close' }))
    await client.closed
    return client.received().slice(0, 'HTTP/1.1 200'.length)
  }

  test.each([
    ['all of the limit', 100, 50],
    ['half of the memory for bodies', 64, 524_288],
  ])('that takes %s with incomplete requests is refused more, and no other network is', async (_, count, bytes) => {
    const clients = await Promise.all(Array.from({ length: count }, () => connectRaw(app.origin, '127.0.0.6')))
    for (const { socket } of clients) socket.write(headOf({ 'content-length': bytes }))
    await until(async () => (await answerTo('127.0.0.6')) === 'HTTP/1.1 503')
    expect(await answerTo('127.0.0.7')).toBe('HTTP/1.1 200')
    for (const { socket } of clients) socket.destroy()
    await until(async () => (await answerTo('127.0.0.6')) === 'HTTP/1.1 200')
  })
})
