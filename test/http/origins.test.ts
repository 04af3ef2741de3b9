import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { RefusedOrigins } from '../../src/http/observing/refused-origins.js'
import { startTestApp, type TestApp } from '../helpers/app.js'
import { createClock } from '../helpers/clock.js'
import { createDatabase, type TestDatabase } from '../helpers/database.js'
import { openSocket } from '../helpers/live.js'
import { send } from '../helpers/send.js'
import { secret } from '../helpers/tokens.js'

/** What a page of that origin may do */
async function permissionsOf(app: TestApp, origin: string) {
  const headers = { origin }
  const preflight = { 'access-control-request-method': 'POST', 'access-control-request-headers': 'content-type' }
  const allowedOrigins = []
  // From the third request on, the fast path answers.
  for (let times = 0; times < 4; times += 1) {
    const { status, headers: received } = await send(app.origin, {
      headers,
      body: { query: '{ product(id: "product_1") { id } }' },
    })
    expect(status).toBe(200)
    allowedOrigins.push(received['access-control-allow-origin'])
  }
  const options = await send(app.origin, { method: 'OPTIONS', headers: { ...headers, ...preflight } })
  allowedOrigins.push(options.headers['access-control-allow-origin'])
  const socket = await openSocket(app, { headers })
  socket.socket.close()
  // Refused for its origin with 403, else for its document with 400
  const stream = await send(app.origin, { method: 'GET', path: '/graphql/stream?query={__typename}', headers })
  return {
    reads: [...new Set(allowedOrigins)],
    subscribesByWebSocket: socket.closed === undefined,
    subscribesByEventStream: stream.status === 400 && stream.headers['access-control-allow-origin'] === origin,
  }
}

let database: TestDatabase
beforeAll(async () => {
  database = await createDatabase()
})
afterAll(() => database.drop())

const loopbackOrigins = [
  ...['http://localhost:5173', 'https://localhost:3000', 'http://localhost', 'http://shop.localhost:8080'],
  ...['http://127.0.0.1:3000', 'http://127.8.9.10:3000', 'http://[::1]:3000'],
]

describe('outside of production', () => {
  let app: TestApp
  beforeAll(async () => {
    app = await startTestApp({ database })
  })
  afterAll(() => app.stop())

  test.each([...loopbackOrigins, 'https://studio.apollographql.com'])('a page of %s reads and subscribes', async (origin) => {
    expect(await permissionsOf(app, origin)).toEqual({
      reads: [origin],
      subscribesByWebSocket: true,
      subscribesByEventStream: true,
    })
  })

  test.each([
    ...[
      'http://localhost.evil.example',
      'http://127.0.0.1.evil.example',
      'http://evil-localhost',
      'http://localhost@evil.example',
    ],
    ...['http://evil.example:5173', 'http://10.1.2.3:3000', 'ftp://localhost', 'http://localhost:3000/', 'null'],
  ])('a page of %s does not', async (origin) => {
    expect(await permissionsOf(app, origin)).toEqual({
      reads: [undefined],
      subscribesByWebSocket: false,
      subscribesByEventStream: false,
    })
  })

  test('a page of the own machine is refused too, if it uses a public host name for a server without authentication', async () => {
    const headers = { origin: 'http://localhost:5173', host: 'evil.example' }
    const { status, headers: received } = await send(app.origin, { headers, body: { query: '{ __typename }' } })
    expect([status, received['access-control-allow-origin']]).toEqual([403, undefined])
  })
})

test('in production, a page of the own machine does not read or subscribe', async () => {
  const app = await startTestApp({ database, env: { NODE_ENV: 'production', AUTH_JWT_SECRET: secret } })
  for (const origin of loopbackOrigins) {
    expect(await permissionsOf(app, origin)).toEqual({
      reads: [undefined],
      subscribesByWebSocket: false,
      subscribesByEventStream: false,
    })
  }
  await app.stop()
})

describe('a refused origin', () => {
  function createLog(listed: string[] = ['https://shop.example']) {
    const lines: unknown[] = []
    const clock = createClock()
    const warn = (...line: unknown[]) => void lines.push(line)
    return { lines, clock, refused: new RefusedOrigins({ listed, logger: { warn }, now: clock.now }) }
  }

  test('is logged once, with the setting that allows it', () => {
    const { refused, lines } = createLog()
    for (let times = 0; times < 3; times += 1) refused.report('https://www.shop.example')
    expect(lines).toEqual([
      [
        { origin: 'https://www.shop.example' },
        'A page could not read a response, because its origin is not in CORS_ORIGINS. If https://www.shop.example is your frontend, set CORS_ORIGINS=https://shop.example,https://www.shop.example',
      ],
    ])
  })

  test('is logged for an opaque origin, and not for text that is no origin', () => {
    const { refused, lines } = createLog()
    for (const origin of ['null', 'x', 'https://a.example/x\n', 'https://a.example b', `https://${'a'.repeat(300)}`])
      refused.report(origin)
    expect(lines).toEqual([[{ origin: 'null' }, expect.stringContaining('Serve the page over HTTP')]])
  })

  test('is not logged while a client invents origins, except for one a minute', () => {
    const { refused, lines, clock } = createLog()
    const invent = (name: string) => {
      for (let index = 0; index < 5_000; index += 1) refused.report(`https://${name}-${index}.example`)
    }
    invent('first')
    expect(lines).toHaveLength(10)
    clock.advance(60_000)
    invent('second')
    expect(lines).toHaveLength(11)
  })
})
