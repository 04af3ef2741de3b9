import { request } from 'node:http'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../helpers/app.js'
import { openSocket } from '../helpers/live.js'
import { secret } from '../helpers/tokens.js'

/** Sends a request as a page of that host would, whatever address the name resolves to */
function ask(app: TestApp, host: string): Promise<{ status: number | undefined; body: string }> {
  return new Promise((resolve, reject) => {
    const headers = { host, origin: `http://${host}`, 'content-type': 'application/json' }
    request(`${app.origin}/graphql`, { method: 'POST', headers, agent: false }, async (response) => {
      resolve({ status: response.statusCode, body: (await response.setEncoding('utf8').toArray()).join('') })
    })
      .on('error', reject)
      .end('{"query":"{ product(id: \\"product_1\\") { id } }"}')
  })
}

describe('a server without authentication', () => {
  let app: TestApp
  beforeAll(async () => {
    app = await startTestApp({ env: { CORS_ORIGINS: 'https://shop.example', CACHE_NEAR_MB: '8' } })
    // So that the fast path has the document compiled, and the headers of every origin below
    for (let times = 0; times < 3; times += 1) await ask(app, 'localhost:4000')
  })
  afterAll(() => app.stop())

  test.each(['evil.example', 'evil.example:4000', 'evil.example.', 'localhost.evil.example', '127.0.0.1.evil.example', 'a.co'])(
    'refuses the public name %s, which anybody can point at it',
    async (host) => {
      for (let times = 0; times < 3; times += 1) {
        const { status, body } = await ask(app, host)
        expect(status).toBe(403)
        expect(JSON.parse(body)).toMatchObject({ errors: [{ extensions: { code: 'FORBIDDEN' } }] })
      }
      const socket = await openSocket(app, { headers: { host, origin: `http://${host}` } })
      expect(socket.closed).toBeDefined()
    },
  )

  test.each([
    ...['127.0.0.1:4000', '[::1]:4000', '10.1.2.3', 'localhost', 'shop.localhost', 'api:4000', 'printer.local'],
    ...['shop.default.svc.cluster.local', 'shop.internal', 'LOCALHOST.:1', 'shop.example', 'shop.example:8080'],
  ])('accepts %s', async (host) => {
    expect(await ask(app, host)).toMatchObject({ status: 200, body: expect.stringContaining('product_1') })
  })
})

test.each([
  ['with authentication', { AUTH_JWT_SECRET: secret }],
  ['that lets pages of all origins read responses', { CORS_ORIGINS: '*' }],
])('a server %s accepts any host name', async (_, env) => {
  const app = await startTestApp({ env })
  expect((await ask(app, 'shop.example.com')).status).toBe(200)
  await app.stop()
})
