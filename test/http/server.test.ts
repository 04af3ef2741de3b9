import { request } from 'node:http'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../helpers/app.js'

describe('the HTTP server', () => {
  let app: TestApp
  beforeAll(async () => {
    app = await startTestApp()
  })
  afterAll(() => app.stop())

  const post = (body: string, headers: Record<string, string> = {}) =>
    fetch(`${app.origin}/graphql`, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body })

  test.each([
    ['broken JSON', '{"query": ', 400, 'BAD_REQUEST'],
    ['an empty body', '', 400, 'BAD_REQUEST'],
    ['null for an id', '{"query":"{ user(id: null) { id } }"}', 400, 'GRAPHQL_VALIDATION_FAILED'],
    ['no query', '{}', 400, 'BAD_REQUEST'],
    ['a syntax error', '{"query":"{ user("}', 400, 'GRAPHQL_PARSE_FAILED'],
    ['an unknown field', '{"query":"{ nothing }"}', 400, 'GRAPHQL_VALIDATION_FAILED'],
    [
      'a variable of the wrong type',
      '{"query":"query($id: ID!) { user(id: $id) { id } }","variables":{"id":{}}}',
      400,
      'BAD_USER_INPUT',
    ],
    [
      'an unknown operation',
      '{"query":"query A { stats { totalUsers } }","operationName":"B"}',
      400,
      'OPERATION_RESOLUTION_FAILURE',
    ],
    ['two megabytes', JSON.stringify({ query: '#'.repeat(2 * 1024 * 1024) }), 413, 'BAD_REQUEST'],
  ])('%s is refused with an error code, in the format of GraphQL errors', async (_, body, status, code) => {
    const response = await post(body)
    expect(response.status).toBe(status)
    const text = await response.text()
    expect(text).not.toContain('node_modules')
    const { errors } = JSON.parse(text) as { errors: { message: string; extensions: { code: string } }[] }
    expect(errors[0]?.extensions.code).toBe(code)
    expect(errors[0]?.message).not.toBe('')
  })

  test('a URL that cannot be decoded is a bad request', async () => {
    const response = await fetch(`${app.origin}/%ff`)
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({
      errors: [{ extensions: { code: 'BAD_REQUEST', requestId: expect.any(String) } }],
    })
  })

  test('every response has a request id: the id from the request if it is safe to log, otherwise a new one', async () => {
    const id = async (given: string) =>
      (await post('{"query":"{ __typename }"}', { 'x-request-id': given })).headers.get('x-request-id')
    expect(await id('abc-123')).toBe('abc-123')
    expect(await id('a b"{}')).toMatch(/^[\da-f-]{36}$/)
  })

  test('every error contains the request id', async () => {
    const response = await post('{"query":"{ users(first: 1000) { totalCount } }"}', { 'x-request-id': 'my-request' })
    expect(((await response.json()) as { errors: unknown[] }).errors[0]).toMatchObject({
      message: 'first must be between 0 and 100',
      extensions: { code: 'BAD_USER_INPUT', requestId: 'my-request' },
    })
  })

  test('a malformed Host header is a bad request', async () => {
    const port = Number(new URL(app.origin).port)
    const status = await new Promise((resolve, reject) => {
      const sent = request(
        { port, host: '127.0.0.1', path: '/graphql', method: 'POST', headers: { host: 'a b<>' } },
        (response) => {
          response.resume()
          resolve(response.statusCode)
        },
      )
      sent.on('error', reject)
      sent.end()
    })
    expect(status).toBe(400)
  })

  test('introspection works', async () => {
    const { data } = await app.query('{ __schema { queryType { fields { name } } } }')
    expect(data.__schema.queryType.fields.map(({ name }: { name: string }) => name)).toContain('cacheInfo')
  })

  test('a form on another site cannot send a mutation', async () => {
    const response = await fetch(`${app.origin}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'text/plain' },
      body: '{"query":"mutation { x }"}',
    })
    expect(response.status).toBe(400)
  })

  test('a mutation by GET is refused', async () => {
    const mutation = encodeURIComponent('mutation { flushCache(namespace: USERS) { namespace } }')
    const response = await fetch(`${app.origin}/graphql?query=${mutation}`, { headers: { 'apollo-require-preflight': 'yes' } })
    expect(response.status).toBe(405)
  })

  test('only configured origins may read responses in a browser', async () => {
    const allowed = async (origin: string) =>
      (await post('{"query":"{ __typename }"}', { origin })).headers.get('access-control-allow-origin')
    expect(await allowed('https://studio.apollographql.com')).toBe('https://studio.apollographql.com')
    expect(await allowed('https://evil.example')).toBe(null)
  })

  test('an unknown path is 404, and the message contains the path of GraphQL', async () => {
    const response = await fetch(`${app.origin}/nowhere`)
    expect(response.status).toBe(404)
    expect(await response.text()).toContain('/graphql')
  })

  test('/health reports on database and cache', async () => {
    const response = await fetch(`${app.origin}/health`)
    expect(response.status).toBe(200)
    expect(await response.json()).toEqual({
      status: 'healthy',
      database: { state: 'up', latencyMs: expect.any(Number) },
      cache: { backend: 'memory', state: 'up', latencyMs: expect.any(Number) },
      uptimeSeconds: expect.any(Number),
    })
  })
})
