import { type IncomingMessage, type OutgoingHttpHeaders, request } from 'node:http'
import { ApolloServer } from '@apollo/server'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, type MockInstance, test, vi } from 'vitest'
import { CompiledQueries } from '../../packages/cached-resolvers/src/compiled-queries/compiled-queries.js'
import { startTestApp, type TestApp } from '../helpers/app.js'
import { post } from '../helpers/post.js'

interface Received {
  status: number | undefined
  /** Names and values in their original order */
  headers: string[]
  body: string
}

interface Sent {
  method?: 'GET' | 'POST'
  path?: string
  headers?: OutgoingHttpHeaders
  /** A value that is not a string is sent as JSON. */
  body?: unknown
}

let app: TestApp
/** Counts the requests that Apollo executes */
let apollo: MockInstance
beforeAll(async () => {
  app = await startTestApp({ env: { CACHE_NEAR_MB: '8' } })
})
afterAll(() => app.stop())
beforeEach(() => {
  apollo = vi.spyOn(ApolloServer.prototype, 'executeHTTPGraphQLRequest')
})
afterEach(() => {
  vi.restoreAllMocks()
})

function send({ method = 'POST', path = '/graphql', headers = {}, body }: Sent): Promise<Received> {
  return new Promise((resolve, reject) => {
    const type = method === 'POST' ? { 'content-type': 'application/json' } : {}
    const sent = request(`${app.origin}${path}`, { method, agent: false, headers: { ...type, ...headers } }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk) => chunks.push(chunk))
      response.on('end', () => resolve(received(response, Buffer.concat(chunks))))
    })
    sent.on('error', reject)
    sent.end(body === undefined || typeof body === 'string' ? body : JSON.stringify(body))
  })
}

/** The response without values that differ each time: the date, and a generated request id. */
function received({ statusCode, rawHeaders }: IncomingMessage, body: Buffer): Received {
  const headers: string[] = []
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const [name = '', value = ''] = rawHeaders.slice(index, index + 2)
    const isGenerated = /^[\da-f]{8}-[\da-f-]{27}$/.test(value)
    headers.push(name.toLowerCase() === 'date' || isGenerated ? name : `${name}: ${value}`)
  }
  return { status: statusCode, headers, body: body.toString('latin1') }
}

async function sendTimes(times: number, sent: Sent): Promise<Received[]> {
  const all: Received[] = []
  for (let count = 0; count < times; count += 1) all.push(await send(sent))
  return all
}

/** Sends a request as if there were no fast path. */
async function sendOnStandardPath(sent: Sent): Promise<Received> {
  const run = vi.spyOn(CompiledQueries.prototype, 'run').mockReturnValue(undefined)
  try {
    return await send(sent)
  } finally {
    run.mockRestore()
  }
}

/** A document that no other test of this file uses */
let documentsSoFar = 0
function orderDocument(): string {
  documentsSoFar += 1
  const fields = 'id total createdAt user { name orders(first: 2) { totalCount } } products { name price }'
  return `query Order($id: ID!) { order${documentsSoFar}: order(id: $id) { ${fields} } }`
}

function order(parts: Record<string, unknown> = {}) {
  return { query: orderDocument(), variables: { id: 'order_1' }, ...parts }
}

describe('a request that the fast path answers after two responses of Apollo', () => {
  const apolloClient = 'application/graphql-response+json,application/json;q=0.9'
  const urql = 'application/graphql-response+json, application/graphql+json, application/json, text/event-stream, multipart/mixed'
  const clientLibrary = { clientLibrary: { name: '@apollo/client', version: '4.0.0' } }
  const cases: [string, Sent][] = [
    ['no Accept', { body: order() }],
    ['any type', { headers: { accept: '*/*' }, body: order() }],
    ['JSON', { headers: { accept: 'application/json' }, body: order() }],
    ['JSON of GraphQL', { headers: { accept: 'application/graphql-response+json' }, body: order() }],
    ["Apollo Client's Accept", { headers: { accept: apolloClient }, body: order() }],
    ["urql's Accept", { headers: { accept: urql }, body: order() }],
    ['a charset', { headers: { accept: 'application/json; charset=utf-8' }, body: order() }],
    ['an Origin that is allowed', { headers: { origin: 'https://studio.apollographql.com' }, body: order() }],
    ['an Origin that is not', { headers: { origin: 'https://evil.example' }, body: order() }],
    ['a request id', { headers: { 'x-request-id': 'mine' }, body: order() }],
    ['a request id that is not safe to log', { headers: { 'x-request-id': 'a b' }, body: order() }],
    ['compression', { headers: { 'accept-encoding': 'gzip, br' }, body: order() }],
    ['keep-alive', { headers: { connection: 'keep-alive' }, body: order() }],
    ["the operation's name", { body: order({ operationName: 'Order' }) }],
    ['null for the name', { body: order({ operationName: null }) }],
    ['extensions of Apollo Client', { body: order({ extensions: clientLibrary }) }],
    ['empty extensions', { body: order({ extensions: {} }) }],
    ['null for extensions', { body: order({ extensions: null }) }],
    ['keys that GraphQL does not know', { body: order({ id: 7, documentId: 'x', on: [] }) }],
    ['unused variables', { body: order({ variables: { id: 'order_2', other: { id: 1 } } }) }],
    ['null for variables', { body: { query: '{ users(first: 2) { nodes { id } } }', variables: null } }],
    ['no variables', { body: { query: '{ stats { totalUsers asOf } }' } }],
    ['a number for an id', { body: order({ variables: { id: 5 } }) }],
    ['an unknown id', { body: order({ variables: { id: 'order_999999999' } }) }],
    ['an interface', { body: { query: '{ nodes(ids: ["user_1", "x", "order_1"]) { id __typename ... on User { name } } }' } }],
    [
      'a list that is not loaded by ids',
      { body: { query: '{ products(category: "Bücher 漢字") { nodes { id } totalCount } }' } },
    ],
    ['a value that is not ASCII', { body: { query: '{ product(id: "product_2") { name } }' } }],
    ['a charset in the Content-Type', { headers: { 'content-type': 'application/json; charset=utf-8' }, body: order() }],
    ['a CSRF header', { headers: { 'apollo-require-preflight': 'yes' }, body: order() }],
  ]

  beforeAll(async () => {
    await app.database.sql`update products set name = ${'Größe "XL" \\ 漢字 \u{1f600} \u2028\n\t'} where id = 2`
  })

  test.each(cases)('with %s: the responses are identical byte for byte', async (_, sent) => {
    const [first, ...others] = await sendTimes(5, sent)
    expect(first).toMatchObject({ status: 200, body: expect.stringMatching(/^\{"data":\{.*\}\n$/s) })
    for (const other of others) expect(other).toEqual(first)
    expect(apollo).toHaveBeenCalledTimes(2)
  })
})

describe('a request that the fast path passes to Apollo', () => {
  const hot = orderDocument()
  const variables = { id: 'order_1' }
  const persistedQuery = { version: 1, sha256Hash: '0'.repeat(64) }
  const asQuery = (parts: Record<string, string>) =>
    `/graphql?${new URLSearchParams({ query: hot, variables: '{"id":"order_1"}', ...parts })}`
  const preflight = { 'apollo-require-preflight': 'yes' }

  beforeEach(() => sendTimes(3, { body: { query: hot, variables } }))

  test.each<[string, Sent]>([
    ['GET', { method: 'GET', path: asQuery({}), headers: preflight }],
    ['GET without a CSRF header', { method: 'GET', path: asQuery({}) }],
    ['the hash of a persisted query', { body: { variables, extensions: { persistedQuery } } }],
    ['a persisted query with the wrong hash', { body: { query: hot, variables, extensions: { persistedQuery } } }],
    ['null for the persisted query', { body: { query: hot, variables, extensions: { persistedQuery: null } } }],
    ['a batch', { body: [{ query: hot, variables }] }],
    ['an empty batch', { body: [] }],
    ['null', { body: 'null' }],
    ['plain text', { headers: { 'content-type': 'text/plain' }, body: JSON.stringify({ query: hot, variables }) }],
    ['a form', { headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: `query=${encodeURIComponent(hot)}` }],
    ['a document as application/graphql', { headers: { 'content-type': 'application/graphql' }, body: hot }],
    ['an invalid Content-Type', { headers: { 'content-type': 'json' }, body: { query: hot, variables } }],
    ['an Accept that cannot be met', { headers: { accept: 'text/html' }, body: { query: hot, variables } }],
    ['another operation', { body: { query: hot, variables, operationName: 'Other' } }],
    ['an operation without a name', { body: { query: hot, variables, operationName: '' } }],
    ['a number for the name', { body: { query: hot, variables, operationName: 1 } }],
    ['a list for the variables', { body: { query: hot, variables: ['order_1'] } }],
    ['a string for the variables', { body: { query: hot, variables: '{"id":"order_1"}' } }],
    ['no variables', { body: { query: hot } }],
    ['null for a variable', { body: { query: hot, variables: { id: null } } }],
    ['an object for a variable', { body: { query: hot, variables: { id: {} } } }],
    ['a string for the extensions', { body: { query: hot, variables, extensions: 'text' } }],
    ['a list for the extensions', { body: { query: hot, variables, extensions: [] } }],
    ['a list for the query', { body: { query: [hot], variables } }],
    [
      'a malformed Content-Type parameter',
      { headers: { 'content-type': 'application/json; charset' }, body: { query: hot, variables } },
    ],
    ['a URL with a query string', { path: '/graphql?operation=Order', body: { query: hot, variables } }],
    ['escapes in the JSON', { body: JSON.stringify({ query: hot, variables }).replace('order_1', '\\u006frder_1') }],
    ['a forbidden key', { body: `{"query":${JSON.stringify(hot)},"variables":{"id":"order_1","__proto__":{}}}` }],
  ])('%s: is answered as without the fast path', async (_, sent) => {
    const headers = { 'x-request-id': 'mine', ...sent.headers }
    const standard = await sendOnStandardPath({ ...sent, headers })
    expect(await sendTimes(3, { ...sent, headers })).toEqual([standard, standard, standard])
  })
})

describe('an error of a compiled document', () => {
  const document = 'query Page($first: Int, $after: String) { users(first: $first, after: $after) { nodes { id } } }'

  test('is the same as of a document that is not compiled', async () => {
    const sent = (query: string, variables: unknown) => ({ headers: { 'x-request-id': 'mine' }, body: { query, variables } })
    const bad = [{ first: 101 }, { first: 1, after: 'x' }, { first: 1.5 }, { first: null, after: '' }]
    const cold = []
    for (const [index, variables] of bad.entries()) {
      cold.push(await send(sent(document.replace('Page', `Cold${index}`), variables)))
    }
    await sendTimes(3, sent(document, { first: 1 }))
    expect(apollo).toHaveBeenCalledTimes(bad.length + 2)
    const hot = []
    for (const variables of bad) hot.push(await send(sent(document, variables)))

    const plain = (response: Received) => ({
      ...response,
      body: withoutLocations(response.body),
      headers: response.headers.filter((header) => !/^content-length/i.test(header)),
    })
    expect(hot.map(plain)).toEqual(cold.map(plain))
    expect(JSON.parse(hot[0]?.body ?? '')).toMatchObject({
      data: null,
      errors: [{ path: ['users'], extensions: { code: 'BAD_USER_INPUT', requestId: 'mine' } }],
    })
  })
})

test('a document whose responses all have errors is not compiled', async () => {
  const answered = vi.spyOn(CompiledQueries.prototype, 'recordAnswer')
  await sendTimes(3, { body: { query: '{ users(first: 102) { totalCount } }' } })
  expect(answered).not.toHaveBeenCalled()
})

/** The length of the operation's name changes the locations of errors. */
function withoutLocations(body: string): string {
  return body.replaceAll(/"locations":\[.*?\],?/g, '')
}

describe('a load that fails for a compiled document', () => {
  test('is not repeated by Apollo, which executes the request to report the error', async () => {
    const query = orderDocument()
    const sent = (id: string) => ({ headers: { 'x-request-id': 'mine' }, body: { query, variables: { id } } })
    await sendTimes(3, sent('order_1'))
    expect(apollo).toHaveBeenCalledTimes(2)
    await app.database.sql`alter table products rename to hidden`
    app.takeStatements()
    const hot = await send(sent('order_5'))
    const hotStatements = app.takeStatements()
    const standard = await sendOnStandardPath(sent('order_6'))
    const standardStatements = app.takeStatements()
    await app.database.sql`alter table hidden rename to products`

    expect(hotStatements.filter((text) => text.includes('products'))).toHaveLength(1)
    expect(hotStatements).toHaveLength(standardStatements.length)
    for (const { status, body } of [hot, standard]) {
      expect(status).toBe(200)
      expect(JSON.parse(body).errors[0]).toMatchObject({
        path: [expect.stringMatching(/^order/), 'products', 0],
        extensions: { code: 'INTERNAL_SERVER_ERROR', requestId: 'mine' },
      })
    }
    // The error is not remembered.
    expect(JSON.parse((await send(sent('order_5'))).body).errors).toBe(undefined)
  })

  test('because the fetch limit is reached is answered 503, and is not repeated', async () => {
    const narrow = await startTestApp({ env: { CACHE_MAX_FETCHES: '1', CACHE_MAX_WAITING_FETCHES: '0' } })
    try {
      const query = 'query Both($order: ID!, $product: ID!) { order(id: $order) { id } product(id: $product) { id } }'
      const ask = (index: number) => post(narrow, query, { order: `order_${index}`, product: `product_${index}` })
      await narrow.query('{ order(id: "order_1") { id } }')
      await narrow.query('{ product(id: "product_1") { id } }')
      apollo.mockClear()
      for (let count = 0; count < 3; count += 1) expect((await ask(1)).status).toBe(200)
      expect(apollo).toHaveBeenCalledTimes(2)
      narrow.takeStatements()
      const { status, errors, data } = await ask(2)
      expect({ status, code: errors?.[0]?.extensions.code, path: errors?.[0]?.path }).toEqual({
        ...{ status: 503, code: 'OVERLOADED', path: ['product'] },
      })
      expect(data).toEqual({ order: { id: 'order_2' }, product: null })
      expect(narrow.takeStatements()).toHaveLength(1)
    } finally {
      await narrow.stop()
    }
  })
})

test('a read on the fast path sees a mutation that came before it', async () => {
  const query = 'query Stock { product(id: "product_3") { stock } }'
  const stock = async () => JSON.parse((await send({ body: { query } })).body).data.product.stock
  for (let count = 0; count < 3; count += 1) await stock()
  for (const next of [4711, 4712]) {
    await app.query(`mutation { updateProductStock(productId: "product_3", stock: ${next}) { userErrors { code } } }`)
    apollo.mockClear()
    expect(await stock()).toBe(next)
    expect(apollo).not.toHaveBeenCalled()
  }
})

test('mutations never take the fast path: each is executed', async () => {
  const mutation = `mutation { createOrder(input: { userId: "user_1", productIds: ["product_4"] }) { order { id } } }`
  const ids = new Set<string>()
  for (let count = 0; count < 4; count += 1) ids.add((await app.query(mutation)).data.createOrder.order.id)
  expect(ids.size).toBe(4)
})
