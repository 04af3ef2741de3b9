import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../helpers/app.js'
import { openSocket } from '../helpers/live.js'
import { secret } from '../helpers/tokens.js'
import { until } from '../helpers/until.js'

let app: TestApp
beforeAll(async () => {
  app = await startTestApp({ env: { NODE_ENV: 'production', AUTH_OPEN: 'true', MAX_COST: '5' } })
})
afterAll(() => app.stop())

/** Sends a request that does not accept server-sent events, so that errors are JSON. */
async function subscribe(query: string, variables = {}) {
  const response = await fetch(`${app.origin}/graphql/stream`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables }),
  })
  return { status: response.status, ...((await response.json()) as { errors: { message: string; extensions: object }[] }) }
}

describe('a subscription', () => {
  test.each([
    [
      'that is too deep',
      `subscription { orderCreated(userId: "user_1") { ${'user { orders { nodes { '.repeat(7)} id ${'} } }'.repeat(7)} } }`,
      {},
      'LIMIT_EXCEEDED',
    ],
    ['that is too long', 'subscription { orderCreated(userId: "user_1") { id } }'.padEnd(32_769, '#\n'), {}, 'LIMIT_EXCEEDED'],
    ['with too many tokens', `subscription { ${'a '.repeat(1_000)} }`, {}, 'LIMIT_EXCEEDED'],
    [
      'that costs too much',
      'subscription { orderCreated(userId: "user_1") { user { orders { nodes { id } } } } }',
      {},
      'COST_LIMIT_EXCEEDED',
    ],
    [
      'of introspection',
      'subscription S { orderCreated(userId: "user_1") { id } } query Q { __schema { queryType { name } } }',
      {},
      'INTROSPECTION_DISABLED',
    ],
  ])('%s is rejected', async (_, query, variables, code) => {
    const { status, errors } = await subscribe(query, variables)
    expect(status).toBe(400)
    for (const { extensions } of errors) {
      expect(extensions).toMatchObject({ code, requestId: expect.any(String) })
      expect(extensions).not.toHaveProperty('http')
    }
  })

  test('does not suggest similar names', async () => {
    const { errors } = await subscribe('subscription { orderCreated(userId: "user_1") { totl } }')
    expect(errors[0]?.message).toBe('Cannot query field "totl" on type "Order".')
  })
})

describe('a client that subscribes repeatedly', () => {
  let limited: TestApp
  beforeAll(async () => {
    limited = await startTestApp({ env: { RATE_LIMIT: '105', TRUSTED_PROXIES: '1', AUTH_JWT_SECRET: secret } })
  })
  afterAll(() => limited.stop())
  const document = 'subscription { productChanged(ids: ["product_1"]) { product { name } } }'
  const invalid = 'subscription { nothing }'

  async function stream(address: string, query: string) {
    const abort = new AbortController()
    const response = await fetch(`${limited.origin}/graphql/stream?query=${encodeURIComponent(query)}`, {
      headers: { 'x-forwarded-for': address },
      signal: abort.signal,
    })
    if (response.status !== 200) return { status: response.status, headers: response.headers, body: await response.json() }
    abort.abort()
    return { status: 200, headers: response.headers, body: undefined }
  }

  async function untilRejected(address: string, query: string) {
    for (;;) {
      const answer = await stream(address, query)
      if (answer.status === 429) return answer
    }
  }

  test.each([
    ['valid ones', document, '192.0.2.1'],
    ['invalid ones', invalid, '192.0.2.2'],
  ])('pays for each, %s, and is rejected when its budget is used up', async (_, query, address) => {
    const { headers, body } = await untilRejected(address, query)
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0)
    expect(body).toMatchObject({ errors: [{ extensions: { code: 'RATE_LIMITED', retryAfterSeconds: expect.any(Number) } }] })
    expect((await stream('192.0.2.9', document)).status).toBe(200)
  })

  test('is rejected on a WebSocket too, and so are its queries', async () => {
    const headers = { 'x-forwarded-for': '192.0.2.3' }
    const { socket, send, messages } = await openSocket(limited, { headers })
    for (let id = 1; !messages.some(({ type }) => type === 'error'); id += 1) {
      const received = messages.length
      send({ id: String(id), type: 'subscribe', payload: { query: invalid } })
      await until(() => messages.length > received)
      if (messages.at(-1).payload[0].extensions.code !== 'RATE_LIMITED') messages.length = 0
    }
    expect(messages.at(-1).payload[0].extensions).toMatchObject({ code: 'RATE_LIMITED' })
    const answer = await fetch(`${limited.origin}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ query: '{ __typename }' }),
    })
    expect(answer.status).toBe(429)
    socket.terminate()
  })
})
