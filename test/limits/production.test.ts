import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../helpers/app.js'
import { post } from '../helpers/post.js'

const production = { NODE_ENV: 'production', AUTH_OPEN: 'true' }
const html = { headers: { accept: 'text/html' } }
const introspection = '{ __schema { queryType { name } } }'
const typeByName = '{ __type(name: "User") { name } }'
const unknownField = '{ product(id: "product_1") { nam } }'
const unknownInputField = 'mutation($input: CreateUserInput!) { createUser(input: $input) { userErrors { code } } }'
const explorers = ['/graphiql', '/schema.graphql', '/assets/graphiql/graphiql.js']

describe('in production', () => {
  let app: TestApp
  beforeAll(async () => {
    app = await startTestApp({ env: production })
  })
  afterAll(() => app.stop())

  test.each([introspection, typeByName, `query { ...A } fragment A on Query ${introspection}`])(
    'introspection is disabled: %s',
    async (query) => {
      const { status, data, errors } = await post(app, query)
      expect({ status, data }).toEqual({ status: 400, data: undefined })
      expect(errors).toEqual([
        expect.objectContaining({
          message: expect.stringMatching(/^__(schema|type) is not available: introspection is disabled/),
          extensions: expect.objectContaining({ code: 'INTROSPECTION_DISABLED' }),
        }),
      ])
    },
  )

  test('__typename is available', async () => {
    expect(await app.query('{ __typename product(id: "product_1") { __typename } }')).toEqual({
      data: { __typename: 'Query', product: { __typename: 'Product' } },
    })
  })

  test('errors about unknown names do not suggest similar ones', async () => {
    const message = async (query: string, variables?: Record<string, unknown>) =>
      (await post(app, query, variables)).errors?.[0]?.message
    expect(await message(unknownField)).toBe('Cannot query field "nam" on type "Product".')
    expect(await message(unknownInputField, { input: { nam: 'A', name: 'A', email: 'a@example.com' } })).toMatch(
      /Field "nam" is not defined by type "CreateUserInput"\.$/,
    )
  })

  test('explorers and SDL do not exist, and the front page does not link to them', async () => {
    for (const path of explorers) expect((await fetch(`${app.origin}${path}`, html)).status, path).toBe(404)
    const sandbox = await fetch(`${app.origin}/graphql`, html)
    expect(sandbox.status).toBe(406)
    expect(sandbox.headers.get('content-type')).toContain('application/json')
    for (const headers of [{}, html.headers]) {
      const page = await (await fetch(app.origin, { headers })).text()
      expect(page).toContain('/health')
      expect(page).not.toMatch(/graphiql|schema\.graphql|Sandbox/i)
    }
  })

  test('clients have a budget', async () => {
    const response = await fetch(`${app.origin}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-cost-report': '1' },
      body: JSON.stringify({ query: '{ product(id: "product_1") { name } }' }),
    })
    const { extensions } = (await response.json()) as { extensions: { cost: { remaining: number } } }
    expect(extensions.cost).toMatchObject({ requested: 3, maximum: 250 })
    // The preceding tests used some of the budget, which may not be replenished yet.
    expect(extensions.cost.remaining).toBeGreaterThan(59_000)
    // The cost of one request is replenished within a millisecond.
    expect(extensions.cost.remaining).toBeLessThanOrEqual(60_000)
  })
})

describe('outside production, and in production with INTROSPECTION=true', () => {
  test.each<Record<string, string>>([{}, { ...production, INTROSPECTION: 'true', RATE_LIMIT: '0' }])(
    'introspection is enabled, and clients have no budget: %j',
    async (env) => {
      const app = await startTestApp({ env })
      expect((await post(app, introspection)).data).toEqual({ __schema: { queryType: { name: 'Query' } } })
      expect((await post(app, unknownField)).errors?.[0]?.message).toContain('Did you mean "name"?')
      for (const path of explorers) expect((await fetch(`${app.origin}${path}`, html)).status, path).toBe(200)
      expect(await (await fetch(`${app.origin}/graphql`, html)).text()).toContain('Apollo Sandbox')
      await app.stop()
    },
  )
})

describe('every response', () => {
  let app: TestApp
  beforeAll(async () => {
    app = await startTestApp()
  })
  afterAll(() => app.stop())

  const query = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"query":"{ __typename }"}' }
  const answers: [string, string, RequestInit][] = [
    ['a query', '/graphql', query],
    [
      'a query that another site may read',
      '/graphql',
      { ...query, headers: { ...query.headers, origin: 'https://studio.apollographql.com' } },
    ],
    ['a rejected query', '/graphql', { ...query, body: '{"query":"{ nothing }"}' }],
    ['a body that is not JSON', '/graphql', { ...query, body: '{' }],
    ['health', '/health', {}],
    ['metrics', '/metrics', {}],
    ['the SDL', '/schema.graphql', {}],
    ['a script', '/assets/graphiql.js', {}],
    ['an unknown path', '/nowhere', {}],
    ['a path that cannot be decoded', '/%ff', {}],
    ['the front page', '/', html],
    ['GraphiQL', '/graphiql', html],
    ['Sandbox', '/graphql', html],
    ['the dashboard', '/dashboard', html],
  ]

  test.each(answers)('has security headers: %s', async (_, path, init) => {
    // Four times, so that the fast path answers some of them.
    for (let time = 0; time < 4; time += 1) {
      const { headers } = await fetch(`${app.origin}${path}`, init)
      expect(headers.get('x-content-type-options')).toBe('nosniff')
      expect(headers.get('referrer-policy')).toBe('strict-origin-when-cross-origin')
      const policy = headers.get('content-security-policy')?.split('; ')
      expect(policy).toEqual(expect.arrayContaining(["default-src 'none'", "frame-ancestors 'none'"]))
      expect(String(policy?.find((directive) => directive.startsWith('script-src')))).not.toMatch(/unsafe|\*/)
      for (const name of ['server', 'x-powered-by', 'access-control-allow-credentials']) expect(headers.get(name)).toBeNull()
    }
  })

  test('even to a message that is not an HTTP request', async () => {
    const socket = connect(Number(new URL(app.origin).port), '127.0.0.1')
    socket.write('Hello?\r\n\r\n')
    expect(await text(socket)).toContain("content-security-policy: default-src 'none'; frame-ancestors 'none'\r\n")
  })

  test.each([
    ['a malformed Host', 'GET /graphql HTTP/1.1\r\nhost: a b<>\r\nconnection: close\r\n\r\n'],
    ['an unknown expectation', 'GET / HTTP/1.1\r\nhost: a\r\nexpect: miracles\r\nconnection: close\r\n\r\n'],
  ])('even to %s', async (_, request) => {
    const socket = connect(Number(new URL(app.origin).port), '127.0.0.1')
    socket.write(request)
    expect(await text(socket)).toMatch(/^content-security-policy: default-src 'none'; frame-ancestors 'none'\r$/im)
  })

  test('can be read by allowed origins only', async () => {
    const allowed = async (origin: string) =>
      (await fetch(`${app.origin}/graphql`, { ...query, headers: { ...query.headers, origin } })).headers.get(
        'access-control-allow-origin',
      )
    expect(await allowed('https://studio.apollographql.com')).toBe('https://studio.apollographql.com')
    for (const origin of ['https://evil.example', 'https://studio.apollographql.com.evil.example', 'null'])
      expect(await allowed(origin), origin).toBeNull()
  })
})
