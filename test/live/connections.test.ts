import { once } from 'node:events'
import { request as httpRequest } from 'node:http'
import { connect as dial } from 'node:net'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { startTestApp, type TestApp } from '../helpers/app.js'
import { createDatabase, type TestDatabase } from '../helpers/database.js'
import { openSocket, productChanged, subscriber, transports, waitUntilSubscribed } from '../helpers/live.js'
import { lock, waitingStatements } from '../helpers/locks.js'
import { post } from '../helpers/post.js'
import { connectRaw, postText } from '../helpers/raw-client.js'
import { send } from '../helpers/send.js'
import { until } from '../helpers/until.js'

let database: TestDatabase
beforeAll(async () => {
  database = await createDatabase()
})
afterAll(() => database.drop())

const stream = (app: TestApp, headers: Record<string, string> = {}, signal?: AbortSignal) => {
  const query = encodeURIComponent('subscription { productChanged(ids: ["product_1"]) { id } }')
  return fetch(`${app.origin}/graphql/stream?query=${query}`, {
    headers: { accept: 'text/event-stream', ...headers },
    ...(signal && { signal }),
  })
}

/** fetch cannot set every Origin header. */
function statusWithOrigin(app: TestApp, headers: Record<string, string>): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const query = encodeURIComponent('subscription { productChanged(ids: ["product_1"]) { id } }')
    httpRequest(`${app.origin}/graphql/stream?query=${query}`, { headers, agent: false }, (response) => {
      response.destroy()
      resolve(response.statusCode)
    })
      .on('error', reject)
      .end()
  })
}

describe('may connect', () => {
  let app: TestApp
  beforeAll(async () => {
    app = await startTestApp({ database, env: { CORS_ORIGINS: 'https://shop.example' } })
  })
  afterAll(() => app.stop())

  test.each([
    ['of the shop', { origin: 'https://shop.example' }, true],
    ['of a foreign origin', { origin: 'https://evil.example' }, false],
    ['of an opaque origin', { origin: 'null' }, false],
  ])('a page %s', async (_, headers, isAllowed) => {
    const socket = await openSocket(app, { headers })
    expect(socket.closed === undefined).toBe(isAllowed)
    socket.socket.close()
    expect(await statusWithOrigin(app, headers)).toBe(isAllowed ? 200 : 403)
    const allowed = (await send(app.origin, { headers, body: { query: '{ __typename }' } })).headers[
      'access-control-allow-origin'
    ]
    expect(allowed).toBe(isAllowed ? headers.origin : undefined)
  })

  test('pages of all origins, if CORS_ORIGINS allows all', async () => {
    const open = await startTestApp({ database: app.database, env: { CORS_ORIGINS: '*' } })
    for (const headers of [{ origin: 'https://evil.example' }, { origin: 'null' }, { 'sec-fetch-site': 'cross-site' }]) {
      const socket = await openSocket(open, { headers })
      expect(socket.closed).toBeUndefined()
      socket.socket.close()
      expect(await statusWithOrigin(open, headers as Record<string, string>)).toBe(200)
      const { headers: received } = await send(open.origin, { headers, body: { query: '{ __typename }' } })
      expect(received['access-control-allow-origin']).toBe('*')
    }
    await open.stop()
  })

  test('a page of the server itself, but no image on a page of another origin', async () => {
    const socket = await openSocket(app, { headers: { origin: app.origin } })
    expect(socket.closed).toBeUndefined()
    socket.socket.close()
    expect(await statusWithOrigin(app, { 'sec-fetch-site': 'cross-site' })).toBe(403)
  })

  test('a subscription sent as a normal POST is refused with the names of the right endpoints', async () => {
    const { status, errors } = await post(app, 'subscription { productChanged(ids: ["product_1"]) { id } }')
    expect(status).toBe(400)
    expect(errors?.[0]).toMatchObject({
      message: expect.stringContaining('/graphql/stream'),
      extensions: { code: 'STREAM_REQUIRED', requestId: expect.any(String) },
    })
  })

  test('a form cannot subscribe', async () => {
    const response = await fetch(`${app.origin}/graphql/stream`, { method: 'POST', body: JSON.stringify({ query: '{ x }' }) })
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ errors: [{ extensions: { code: 'BAD_REQUEST' } }] })
  })

  test('a client that offers an upgrade to HTTP/2 with every request is answered, and its connection collects no listeners', async () => {
    const warnings: Error[] = []
    const onWarning = (warning: Error) => warnings.push(warning)
    process.on('warning', onWarning)
    onTestFinished(() => void process.off('warning', onWarning))
    const body = JSON.stringify({ query: '{ product(id: "product_1") { id } }' })
    const { hostname, port } = new URL(app.origin)
    const socket = dial(Number(port), hostname)
    let text = ''
    socket.on('data', (chunk) => {
      text += String(chunk)
    })
    for (let times = 1; times <= 12; times += 1) {
      socket.write(
        `POST /graphql HTTP/1.1\r\nHost: ${hostname}:${port}\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\n` +
          `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      )
      await until(() => text.split('"product_1"').length > times)
    }
    expect(text.match(/HTTP\/1\.1 200/g)).toHaveLength(12)
    expect(warnings).toEqual([])
    socket.destroy()
  })

  test.each([
    [
      40,
      'offers HTTP/2',
      'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\n',
      '"__typename":"Query"',
    ],
    [
      41,
      'asks for a WebSocket',
      'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n',
      'HTTP/1.1 101',
    ],
  ])(
    'behind a request for product %i that is not answered yet, one that %s is answered after it',
    async (id, _, headers, expected) => {
      const release = await lock(app.database, 'lock table products in access exclusive mode')
      const { socket, received } = await connectRaw(app.origin)
      const query = encodeURIComponent('{ __typename }')
      socket.write(postText(`{ product(id: "product_${id}") { id } }`))
      await until(async () => (await waitingStatements(app.database)).length === 1)
      socket.write(`GET /graphql?query=${query} HTTP/1.1\r\nHost: 127.0.0.1\r\nApollo-Require-Preflight: 1\r\n${headers}\r\n`)
      // Data that arrives later on another connection is read later.
      expect((await app.query('{ __typename }')).data).toEqual({ __typename: 'Query' })
      expect(received()).toBe('')
      await release()
      await until(() => received().includes(expected))
      expect(received().indexOf(`"product_${id}"`)).toBeLessThan(received().indexOf(expected))
      socket.destroy()
    },
  )

  test('a socket at another path, or with another protocol, is refused', async () => {
    const elsewhere = await openSocket({ ...app, origin: `${app.origin}/elsewhere` })
    expect(elsewhere.closed).toBeDefined()
    const socket = await openSocket(app, { sendInit: false })
    socket.socket.send('{')
    await until(() => socket.closed !== undefined)
    expect(socket.closed?.code).toBe(4400)
  })

  test('a subscription with the id of an open one closes the socket with 4409, whatever the length of the id', async () => {
    const socket = await openSocket(app)
    const payload = { query: 'subscription { productChanged(ids: ["product_1"]) { id } }' }
    for (let times = 0; times < 2; times += 1) socket.send({ id: 'ü'.repeat(200), type: 'subscribe', payload })
    await until(() => socket.closed !== undefined)
    expect(socket.closed).toEqual({ code: 4409, reason: expect.stringMatching(/^Subscriber for ü+$/) })
  })
})

// Concurrent: each test has its own app, and mostly waits.
describe.concurrent('limits', () => {
  test('a client that sends no connection_init is disconnected', async () => {
    const app = await startTestApp({ database })
    const socket = await openSocket(app, { sendInit: false })
    await until(() => socket.closed !== undefined)
    expect(socket.closed?.code).toBe(4408)
    await app.stop()
  })

  test('connections per address, and in total', async () => {
    const app = await startTestApp({ database, env: { LIVE_MAX_CONNECTIONS: '3', LIVE_MAX_CONNECTIONS_PER_ADDRESS: '2' } })
    const first = await openSocket(app)
    const abort = new AbortController()
    const second = await stream(app, {}, abort.signal)
    expect(second.status).toBe(200)
    const third = await stream(app)
    expect(third.status).toBe(429)
    expect(await third.json()).toMatchObject({ errors: [{ extensions: { code: 'TOO_MANY_CONNECTIONS' } }] })
    expect((await openSocket(app)).closed).toBeDefined()
    abort.abort()
    first.socket.close()
    // Both connections are released.
    await until(async () => {
      const again = await Promise.all([openSocket(app), openSocket(app)])
      for (const { socket } of again) socket.terminate()
      return again.every(({ closed }) => closed === undefined)
    })
    await app.stop()

    const full = await startTestApp({ database, env: { LIVE_MAX_CONNECTIONS: '0' } })
    const refused = await stream(full)
    expect(refused.status).toBe(503)
    expect(await refused.json()).toMatchObject({ errors: [{ extensions: { code: 'OVERLOADED' } }] })
    await full.stop()
  })

  test('subscriptions on one connection', async () => {
    const app = await startTestApp({ database })
    const socket = await openSocket(app)
    const query = 'subscription { productChanged(ids: ["product_1"]) { id } }'
    for (let id = 1; id <= 101; id += 1) socket.send({ id: String(id), type: 'subscribe', payload: { query } })
    await until(() => socket.messages.length === 2)
    expect(socket.messages[1]).toMatchObject({
      id: '101',
      type: 'error',
      payload: [{ extensions: { code: 'TOO_MANY_SUBSCRIPTIONS', requestId: expect.any(String) } }],
    })
    expect(socket.closed).toBeUndefined()
    await app.stop()
  })

  test('a message over 64 kB ends the connection', async () => {
    const app = await startTestApp({ database })
    const socket = await openSocket(app)
    socket.send({ type: 'ping', payload: { text: 'x'.repeat(70_000) } })
    await until(() => socket.closed !== undefined)
    expect(socket.closed?.code).toBe(1009)
    await app.stop()
  })

  test('a peer that does not answer pings is disconnected, and one that answers is not', async () => {
    const app = await startTestApp({ database, env: { LIVE_HEARTBEAT_MS: '1000' } })
    const alive = await openSocket(app)
    const dead = await openSocket(app)
    let pings = 0
    alive.socket.on('ping', () => {
      pings += 1
    })
    const closed = once(dead.socket, 'close')
    // A paused socket reads no pings, so it answers none.
    dead.socket.pause()
    await until(() => pings >= 3)
    dead.socket.resume()
    await closed
    expect(alive.closed).toBeUndefined()
    await app.stop()
  })

  test('an idle event stream sends comments as heartbeats', async () => {
    const app = await startTestApp({ database, env: { LIVE_HEARTBEAT_MS: '100' } })
    const abort = new AbortController()
    const { body } = await stream(app, {}, abort.signal)
    let text = ''
    const reading = (async () => {
      for await (const chunk of body as unknown as AsyncIterable<Uint8Array>) text += Buffer.from(chunk).toString()
    })().catch(() => undefined)
    await until(() => text.split('\n: \n').length > 2)
    abort.abort()
    await reading
    await app.stop()
  })
})

test.each(transports)('after many changes of a product, the last event has the newest value: %s', async (transport) => {
  const app = await startTestApp({ database })
  const client = subscriber(app, transport)
  const subscription = client.subscribe(productChanged, { ids: ['product_1'] })
  await waitUntilSubscribed(app, subscription, 1)
  for (let stock = 1; stock <= 300; stock += 1) await app.database.sql`update products set stock = ${stock} where id = 1`
  await until(() => subscription.results.at(-1)?.data.productChanged.product.stock === 300)
  expect(subscription.results.length).toBeLessThanOrEqual(300)
  client.close()
  await app.stop()
})

test('too many queued orders end the connection, with a code that makes clients reconnect', async () => {
  const app = await startTestApp({ database })
  const socket = await openSocket(app)
  const query = 'subscription { orderCreated(userId: "user_1") { id } }'
  socket.send({ id: '1', type: 'subscribe', payload: { query } })
  await until(async () => {
    await app.database.sql`insert into orders (user_id, total_cents) select 1, 1 from generate_series(1, 1100)`
    return socket.closed !== undefined
  })
  expect(socket.closed).toEqual({
    code: 1013,
    reason: 'The client reads too slowly and too many events are waiting for it: subscribe again',
  })
  await app.stop()
})

test('when the server shuts down, sockets close with 1001, and streams end without complete', async () => {
  const app = await startTestApp({ database })
  const socket = await openSocket(app)
  const { body } = await stream(app)
  const stopped = app.stop()
  let text = ''
  for await (const chunk of body as unknown as AsyncIterable<Uint8Array>) text += Buffer.from(chunk).toString()
  expect(text).not.toContain('complete')
  expect(text).toContain('The server is shutting down: connect again')
  await stopped
  await until(() => socket.closed !== undefined)
  expect(socket.closed?.code).toBe(1001)
})
