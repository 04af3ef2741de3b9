import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { errorCodes } from '../../src/graphql/errors.js'
import { UserErrorCode } from '../../src/graphql/user-error.js'
import { startTestApp, type TestApp } from '../helpers/app.js'

interface Refused {
  status: number
  requestId: string | null | undefined
  body: string
}

type Send = (app: TestApp) => Promise<Refused>

const json = { 'content-type': 'application/json' }
const query = '{ order(id: "order_1") { id } }'

const by =
  (method: string, path: string, headers: Record<string, string> = {}, body?: string): Send =>
  async ({ origin }) => {
    const response = await fetch(`${origin}${path}`, { method, headers, ...(body !== undefined && { body }) })
    return { status: response.status, requestId: response.headers.get('x-request-id'), body: await response.text() }
  }
const post = (body: unknown, headers: Record<string, string> = json) =>
  by('POST', '/graphql', headers, typeof body === 'string' ? body : JSON.stringify(body))
const get = (parameters: Record<string, string>, headers: Record<string, string> = { 'apollo-require-preflight': 'yes' }) =>
  by('GET', `/graphql?${new URLSearchParams(parameters)}`, headers)

/** Sends bytes that no HTTP client would send. */
const raw =
  (request: string): Send =>
  async ({ origin }) => {
    const { hostname, port } = new URL(origin)
    const socket = connect(Number(port), hostname)
    await once(socket, 'connect')
    // The socket stays open: a server that waits for the rest of the request must not wait forever.
    socket.write(request)
    const [head = '', body = ''] = (await text(socket)).split('\r\n\r\n')
    return {
      status: Number(/^HTTP\/1\.1 (\d{3}) /.exec(head)?.[1]),
      requestId: /^x-request-id: (\S+)$/im.exec(head)?.[1],
      body,
    }
  }
const persisted = (sha256Hash: string, version = 1) => ({ persistedQuery: { version, sha256Hash } })

const badRequests: [name: string, send: Send, status: number, code: (typeof errorCodes)[number]][] = [
  ['broken JSON', post('{"query": '), 400, 'BAD_REQUEST'],
  ['an empty body', post(''), 400, 'BAD_REQUEST'],
  ['an empty object', post({}), 400, 'BAD_REQUEST'],
  ['a body that is a list', post([]), 400, 'BAD_REQUEST'],
  ['a batch', post([{ query }, { query }]), 400, 'BAD_REQUEST'],
  ['a body that is a number', post('1'), 400, 'BAD_REQUEST'],
  ['no query', post({ variables: {} }), 400, 'BAD_REQUEST'],
  ['an empty query', post({ query: '' }), 400, 'BAD_REQUEST'],
  ['a query that is a number', post({ query: 1 }), 400, 'BAD_REQUEST'],
  ['a query that is a parsed document', post({ query: { kind: 'Document' } }), 400, 'BAD_REQUEST'],
  ['variables that are a string', post({ query, variables: '{}' }), 400, 'BAD_REQUEST'],
  ['variables that are a list', post({ query, variables: [] }), 400, 'BAD_REQUEST'],
  ['extensions that are a string', post({ query, extensions: '{}' }), 400, 'BAD_REQUEST'],
  ['an operation name that is a number', post({ query, operationName: 1 }), 400, 'BAD_REQUEST'],
  ['keys that would pollute prototypes', post('{"query":"{ __typename }","__proto__":{}}'), 400, 'BAD_REQUEST'],
  ['two megabytes', post({ query: '#'.repeat(2 * 1024 * 1024) }), 413, 'BAD_REQUEST'],
  ['a form', post('query=x', { 'content-type': 'application/x-www-form-urlencoded' }), 415, 'BAD_REQUEST'],
  ['plain text', post({ query }, { 'content-type': 'text/plain' }), 400, 'BAD_REQUEST'],
  [
    'plain text past CSRF',
    post({ query }, { 'content-type': 'text/plain', 'apollo-require-preflight': 'yes' }),
    400,
    'BAD_REQUEST',
  ],
  ['an Accept that cannot be met', post({ query }, { ...json, accept: 'text/csv' }), 406, 'BAD_REQUEST'],
  ['a GET that another site could send', get({ query }, { origin: 'https://evil.example' }), 400, 'BAD_REQUEST'],
  ['a GET without a query', get({}), 400, 'BAD_REQUEST'],
  ['a GET with two queries', by('GET', '/graphql?query=a&query=b', { 'apollo-require-preflight': 'yes' }), 400, 'BAD_REQUEST'],
  ['a GET with broken variables', get({ query, variables: '{' }), 400, 'BAD_REQUEST'],
  ['a GET with variables in a list', get({ query, variables: '[]' }), 400, 'BAD_REQUEST'],
  ['a GET of a mutation', get({ query: 'mutation { deleteUser(id: "user_1") { deletedUserId } }' }), 405, 'BAD_REQUEST'],
  ['a PUT', by('PUT', '/graphql', json, '{"query":"{ __typename }"}'), 405, 'BAD_REQUEST'],
  ['a DELETE', by('DELETE', '/graphql', { 'apollo-require-preflight': 'yes' }), 405, 'BAD_REQUEST'],
  ['a URL that cannot be decoded', by('GET', '/%ff'), 400, 'BAD_REQUEST'],
  ['an unknown path', by('GET', '/nowhere'), 404, 'NOT_FOUND'],
  ['a malformed Host', raw('GET /graphql HTTP/1.1\r\nhost: a b<>\r\nconnection: close\r\n\r\n'), 400, 'BAD_REQUEST'],
  ['an empty Host', raw('GET /graphql HTTP/1.1\r\nhost: \r\nconnection: close\r\n\r\n'), 400, 'BAD_REQUEST'],
  ['no Host', raw('GET /graphql HTTP/1.1\r\nconnection: close\r\n\r\n'), 400, 'BAD_REQUEST'],
  ['no Host in HTTP/1.0, which is allowed', raw('GET /nowhere HTTP/1.0\r\n\r\n'), 404, 'NOT_FOUND'],
  ['an Expect that cannot be met', raw('GET / HTTP/1.1\r\nhost: a\r\nexpect: gold\r\n\r\n'), 417, 'BAD_REQUEST'],
  ['data that is not HTTP', raw('Hello?\r\n\r\n'), 400, 'BAD_REQUEST'],
  ['headers of 20,000 bytes', raw(`GET / HTTP/1.1\r\nhost: a\r\nx: ${'x'.repeat(20_000)}\r\n\r\n`), 431, 'BAD_REQUEST'],
  ['a syntax error', post({ query: '{ user(' }), 400, 'GRAPHQL_PARSE_FAILED'],
  [
    'a document that is too deep',
    post({ query: `{ user(id: "user_1") ${'{ orders { nodes { user '.repeat(1_000)}` }),
    400,
    'LIMIT_EXCEEDED',
  ],
  ['an unknown field', post({ query: '{ nothing }' }), 400, 'GRAPHQL_VALIDATION_FAILED'],
  ['a null for an id', post({ query: '{ user(id: null) { id } }' }), 400, 'GRAPHQL_VALIDATION_FAILED'],
  ['a missing variable', post({ query: 'query($id: ID!) { user(id: $id) { id } }' }), 400, 'BAD_USER_INPUT'],
  ['a page that is too large', post({ query: '{ users(first: 1000) { totalCount } }' }), 200, 'BAD_USER_INPUT'],
  ['an invalid cursor', post({ query: '{ users(after: "x") { totalCount } }' }), 200, 'BAD_USER_INPUT'],
  ['an unknown operation', post({ query: 'query A { __typename }', operationName: 'B' }), 400, 'OPERATION_RESOLUTION_FAILURE'],
  ['no operation', post({ query: 'fragment F on User { id }' }), 400, 'GRAPHQL_VALIDATION_FAILED'],
  ['an unknown persisted query', post({ extensions: persisted('0'.repeat(64)) }), 200, 'PERSISTED_QUERY_NOT_FOUND'],
  ['a persisted query with the wrong hash', post({ query, extensions: persisted('0'.repeat(64)) }), 400, 'BAD_REQUEST'],
  [
    'a persisted query with an object for a hash',
    post({ extensions: { persistedQuery: { version: 1, sha256Hash: { toString: {} } } } }),
    400,
    'BAD_REQUEST',
  ],
  ['a persisted query of another version', post({ query, extensions: persisted('0'.repeat(64), 2) }), 400, 'BAD_REQUEST'],
]

describe('every error response has a code from the table, and its request id in body and header', () => {
  let app: TestApp
  beforeAll(async () => {
    app = await startTestApp()
    // Compiled, so that the fast path sees these requests first, and has to pass them on.
    for (let time = 0; time < 4; time += 1) await app.query(query)
  })
  afterAll(() => app.stop())

  test.each(badRequests)('%s', async (_, send, status, code) => {
    const { body, ...refused } = await send(app)
    expect(body).not.toMatch(/node_modules|at .*:\d+:\d+/)
    const { errors } = JSON.parse(body)
    expect(errors.length).toBeGreaterThan(0)
    for (const { message, extensions } of errors) {
      expect(message).not.toBe('')
      expect({ ...refused, code: extensions.code, inBody: extensions.requestId }).toEqual({
        status,
        code,
        requestId: expect.stringMatching(/^[\da-f-]{36}$/),
        inBody: refused.requestId,
      })
    }
  })

  test('HTTP/1.0 is answered without a Host, and a bare OPTIONS without an Origin', async () => {
    const body = JSON.stringify({ query: '{ product(id: "product_1") { id } }' })
    const head = `POST /graphql HTTP/1.0\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`
    expect(await raw(head + body)(app)).toMatchObject({ status: 200, body: '{"data":{"product":{"id":"product_1"}}}\n' })
    expect(await by('OPTIONS', '/graphql')(app)).toMatchObject({ status: 204, body: '' })
  })

  test('the request id of the client is kept, even if Apollo refuses the request before it creates a context', async () => {
    const { body, requestId } = await post([{ query }], { ...json, 'x-request-id': 'mine' })(app)
    expect(requestId).toBe('mine')
    expect(JSON.parse(body).errors[0].extensions.requestId).toBe('mine')
  })
})

describe('docs/errors.md', () => {
  const [topLevel = '', inPayloads = ''] = readFileSync('docs/errors.md', 'utf8').split('## userErrors')
  const codesOf = (section: string) =>
    [...section.matchAll(/^\| (`[A-Z_`, ]+) \|/gm)].flatMap(([, cell = '']) =>
      [...cell.matchAll(/[A-Z_]+/g)].map(([code]) => code),
    )

  test('has every code of a top-level error, and no other', () => {
    expect(codesOf(topLevel).sort()).toEqual([...errorCodes].sort())
  })

  test('has every code of a userError, and no other', () => {
    expect(codesOf(inPayloads).sort()).toEqual(Object.values(UserErrorCode).sort())
  })

  test('has every HTTP status that a bad request returned here', () => {
    for (const [, , status, code] of badRequests) {
      const row = topLevel.split('\n').find((line) => line.startsWith('|') && line.includes(`\`${code}\``))
      expect(row, code).toMatch(new RegExp(`\\b${status}\\b`))
    }
  })
})

describe('an error message does not repeat long input', () => {
  let app: TestApp
  beforeAll(async () => {
    app = await startTestApp()
  })
  afterAll(() => app.stop())

  const long = 'x'.repeat(30_000)
  const value = `${'a b '.repeat(50_000)}`
  const withVariable = (query: string, variables: unknown) => post({ query, variables })
  const sent: [string, Send][] = [
    ['a field', post({ query: `{ ${long} }` })],
    [
      '20 fields',
      post({
        query: `{ ${Array.from({ length: 20 }, (_, index) => `${index ? 'y' : 'z'}${'x'.repeat(1_500)}${index}`).join(' ')} }`,
      }),
    ],
    ['a fragment', post({ query: `{ ...${long} }` })],
    ['a type', post({ query: `query($a: ${long}) { product(id: $a) { id } }` })],
    ['an argument', post({ query: `{ product(${long}: 1) { id } }` })],
    ['a literal', post({ query: `{ products(first: "${long}") { totalCount } }` })],
    ['a syntax error', post({ query: `{ a(b: ${long}` })],
    ['a variable', withVariable('query($a: Int) { products(first: $a) { totalCount } }', { a: value })],
    [
      'a list of variables',
      withVariable('query($a: [ID!]!) { nodes(ids: $a) { id } }', { a: Array(90).fill({ b: long.slice(0, 5_000) }) }),
    ],
    ['a name of an operation', post({ query: '{ __typename }', operationName: long })],
    [
      'an id',
      withVariable('mutation($a: ID!) { updateProductStock(productId: $a, stock: 1) { userErrors { message } } }', { a: value }),
    ],
    ['a URL', by('GET', `/%ff${'x'.repeat(10_000)}`)],
    ['a method', by('PUT', '/graphql', { ...json, 'content-type': `text/${'x'.repeat(10_000)}` }, '{}')],
  ]
  test.each(sent)('%s', async (_, send) => {
    const { body } = await send(app)
    expect(body).toContain('message')
    for (const [, message = ''] of body.matchAll(/"message":"(.*?[^\\\\])"/g)) expect(message.length).toBeLessThan(500)
    expect(body.length).toBeLessThan(40_000)
  })
})
