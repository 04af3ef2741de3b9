import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../helpers/app.js'
import { openSocket } from '../helpers/live.js'
import { readMetrics, sumOf } from '../helpers/prometheus.js'
import { adminToken, customerToken, secret } from '../helpers/tokens.js'
import { until } from '../helpers/until.js'

type TestSocket = Awaited<ReturnType<typeof openSocket>>

function subscribe({ send }: TestSocket, count: number, query: (index: number) => string): void {
  for (let index = 1; index <= count; index += 1) send({ id: String(index), type: 'subscribe', payload: { query: query(index) } })
}

const ofProduct = (id: number, comment = '') =>
  `subscription { productChanged(ids: ["product_${id}"]) { id product { stock } } }${comment}`

async function metric(app: TestApp, name: string): Promise<number> {
  return sumOf(await readMetrics(app.origin), name)
}

const lookups = async (app: TestApp) => (await metric(app, 'cache_hits_total')) + (await metric(app, 'cache_misses_total'))
const codes = ({ messages }: TestSocket): string[] =>
  messages.filter(({ type }) => type === 'error').map(({ payload }) => payload[0].extensions.code)

describe('equal subscriptions', () => {
  let app: TestApp
  beforeAll(async () => {
    app = await startTestApp()
  })
  afterAll(() => app.stop())

  test('are executed once for each event, and every subscriber receives it', async () => {
    const sockets = await Promise.all(Array.from({ length: 4 }, () => openSocket(app)))
    for (const socket of sockets) subscribe(socket, 50, () => ofProduct(1))
    await until(async () => (await metric(app, 'graphql_subscriptions_open')) === 200)
    const before = await lookups(app)
    await app.database.sql`update products set stock = 4711 where id = 1`
    await until(() => sockets.every(({ messages }) => messages.length === 51))
    const events = sockets.flatMap(({ messages }) => messages.slice(1))
    for (const { payload } of events)
      expect(payload).toEqual({ data: { productChanged: { id: 'product_1', product: { stock: 4711 } } } })
    expect((await lookups(app)) - before).toBe(1)
    for (const { socket } of sockets) socket.terminate()
    await until(async () => (await metric(app, 'graphql_subscriptions_open')) === 0)
  })

  test('continue after the first subscriber has left', async () => {
    const [first, second] = [await openSocket(app), await openSocket(app)]
    for (const socket of [first, second]) {
      const open = await metric(app, 'graphql_subscriptions_open')
      subscribe(socket, 1, () => ofProduct(2))
      await until(async () => (await metric(app, 'graphql_subscriptions_open')) === open + 1)
    }
    first.socket.terminate()
    await until(async () => (await metric(app, 'graphql_subscriptions_open')) === 1)
    await app.database.sql`update products set stock = 4712 where id = 2`
    await until(() => second.messages.length === 2)
    second.socket.terminate()
  })
})

test('a subscription equal to an open one of another viewer is refused if its own viewer may not use it', async () => {
  const app = await startTestApp({ env: { AUTH_JWT_SECRET: secret } })
  const query = () => 'subscription { orderCreated(userId: "user_1") { id } }'
  const [admin, other] = await Promise.all(
    [await adminToken(), await customerToken('user_2')].map((token) =>
      openSocket(app, { headers: { authorization: `Bearer ${token}` } }),
    ),
  )
  subscribe(admin as TestSocket, 1, query)
  await until(async () => {
    await app.database.sql`insert into orders (user_id, total_cents) values (1, 0)`
    return (admin?.messages.length ?? 0) > 1
  })
  subscribe(other as TestSocket, 1, query)
  await until(() => codes(other as TestSocket).length === 1)
  expect(codes(other as TestSocket)).toEqual(['FORBIDDEN'])
  for (const socket of [admin, other]) socket?.socket.terminate()
  await app.stop()
})

describe('subscriptions of one address', () => {
  let app: TestApp
  beforeAll(async () => {
    app = await startTestApp({
      env: { LIVE_MAX_CONNECTIONS: '80', LIVE_MAX_CONNECTIONS_PER_ADDRESS: '50', TRUSTED_PROXIES: '1' },
    })
  })
  afterAll(() => app.stop())

  test('are limited over all its connections, and there is a limit for all addresses together', async () => {
    const open = (address: string) => openSocket(app, { headers: { 'x-forwarded-for': address } })
    const [first, second, third] = [await open('192.0.2.1'), await open('192.0.2.1'), await open('192.0.2.2')]
    subscribe(first, 40, ofProduct)
    await until(async () => (await metric(app, 'graphql_subscriptions_open')) === 40)
    subscribe(second, 20, ofProduct)
    await until(() => codes(second).length === 10)
    expect(new Set(codes(second))).toEqual(new Set(['TOO_MANY_SUBSCRIPTIONS']))
    subscribe(third, 40, ofProduct)
    await until(() => codes(third).length === 10)
    expect(new Set(codes(third))).toEqual(new Set(['OVERLOADED']))
    for (const { socket } of [first, second, third]) socket.terminate()
    await until(async () => (await metric(app, 'graphql_subscriptions_open')) === 0)
  })

  test('count several times if the document is large, in bytes or in nodes', async () => {
    const large = [
      (index: number) => ofProduct(index, `#${'x'.repeat(20_000)}`),
      (index: number) => `subscription { productChanged(ids: ["product_${index}"]) { ${'id '.repeat(200)} } }`,
    ]
    for (const query of large) {
      const socket = await openSocket(app)
      subscribe(socket, 20, query)
      await until(() => codes(socket).length > 0)
      expect(new Set(codes(socket))).toEqual(new Set(['TOO_MANY_SUBSCRIPTIONS']))
      socket.socket.terminate()
      await until(async () => (await metric(app, 'graphql_subscriptions_open')) === 0)
    }
  })
})

describe('a socket that sends as fast as it can', () => {
  test.each(['message', 'frame'] as const)('does not delay the pings of others, as %s', async (kind) => {
    const app = await startTestApp()
    const [fast, other] = [await openSocket(app), await openSocket(app)]
    let pongs = 0
    fast.socket.on('pong', () => {
      pongs += 1
    })
    const answered = () => (kind === 'frame' ? pongs : fast.messages.length - 1)
    for (let count = 0; count < 1_000; count += 1) kind === 'frame' ? fast.socket.ping() : fast.send({ type: 'ping' })
    const answeredBefore = new Promise<number>((resolve) => other.socket.once('message', () => resolve(answered())))
    fast.socket.once(kind === 'frame' ? 'pong' : 'message', () => other.send({ type: 'ping' }))
    expect(await answeredBefore).toBeLessThan(1_000)
    await until(() => answered() === 1_000)
    for (const { socket } of [fast, other]) socket.terminate()
    await app.stop()
  })

  test('is charged for messages, and is closed if it continues after its budget is used up', async () => {
    const app = await startTestApp({ env: { RATE_LIMIT: '300', TRUSTED_PROXIES: '1' } })
    const { socket, send, ...received } = await openSocket(app, { headers: { 'x-forwarded-for': '192.0.2.1' } })
    const other = await openSocket(app, { headers: { 'x-forwarded-for': '192.0.2.2' } })
    const closed = new Promise<number>((resolve) => socket.once('close', resolve))
    const timer = setInterval(() => {
      for (let count = 0; count < 50 && socket.readyState === socket.OPEN; count += 1) send({ type: 'ping' })
    }, 1)
    expect(await closed).toBe(1013)
    clearInterval(timer)
    expect(received.messages.length).toBeGreaterThan(300)
    expect(other.closed).toBeUndefined()
    const body = '{"query": "{ no JSON'
    const headers = { 'content-type': 'application/json', 'x-forwarded-for': '192.0.2.1' }
    const refused = await fetch(`${app.origin}/graphql/stream`, { method: 'POST', headers, body })
    expect([refused.status, await refused.json()]).toMatchObject([429, { errors: [{ extensions: { code: 'RATE_LIMITED' } }] }])
    other.socket.terminate()
    await app.stop()
  })
})
