import { type IncomingMessage, type OutgoingHttpHeaders, request } from 'node:http'
import { ApolloServer } from '@apollo/server'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, type MockInstance, test, vi } from 'vitest'
import { Lane } from '../../packages/cached-resolvers/src/compiled-queries/lane.js'
import { startTestApp, type TestApp } from '../helpers/app.js'
import { post } from '../helpers/post.js'

interface Received {
  status: number | undefined
  /** Names and values as they came, in their order */
  headers: string[]
  body: string
}

interface Sent {
  method?: 'GET' | 'POST'
  path?: string
  headers?: OutgoingHttpHeaders
  /** JSON for whatever is no text */
  body?: unknown
}

let app: TestApp
/** Requests that Apollo was asked to answer */
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

/** Without what is different each time: the date, and a request id that was made up. */
function received({ statusCode, rawHeaders }: IncomingMessage, body: Buffer): Received {
  const headers: string[] = []
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const [name = '', value = ''] = rawHeaders.slice(index, index + 2)
    const madeUp = /^[\da-f]{8}-[\da-f-]{27}$/.test(value)
    headers.push(name.toLowerCase() === 'date' || madeUp ? name : `${name}: ${value}`)
  }
  return { status: statusCode, headers, body: body.toString('latin1') }
}

async function sendTimes(times: number, sent: Sent): Promise<Received[]> {
  const all: Received[] = []
  for (let count = 0; count < times; count += 1) all.push(await send(sent))
  return all
}

/** As it would be answered if there were no lane. */
async function sendWithoutLane(sent: Sent): Promise<Received> {
  const run = vi.spyOn(Lane.prototype, 'run').mockReturnValue(undefined)
  try {
    return await send(sent)
  } finally {
    run.mockRestore()
  }
}

/** A document like no other of this file's */
let documentsSoFar = 0
function orderDocument(): string {
  documentsSoFar += 1
  const fields = 'id total createdAt user { name orders(first: 2) { totalCount } } products { name price }'
  return `query Order($id: ID!) { its${documentsSoFar}: order(id: $id) { ${fields} } }`
}

function order(parts: Record<string, unknown> = {}) {
  return { query: orderDocument(), variables: { id: 'order_1' }, ...parts }
}

describe('a request that the lane takes over after two answers', () => {
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
    ['a request id that is not harmless', { headers: { 'x-request-id': 'a b' }, body: order() }],
    ['compression', { headers: { 'accept-encoding': 'gzip, br' }, body: order() }],
    ['keep-alive', { headers: { connection: 'keep-alive' }, body: order() }],
    ["the operation's name", { body: order({ operationName: 'Order' }) }],
    ['null for the name', { body: order({ operationName: null }) }],
    ['extensions of Apollo Client', { body: order({ extensions: clientLibrary }) }],
    ['empty extensions', { body: order({ extensions: {} }) }],
    ['null for extensions', { body: order({ extensions: null }) }],
    ['keys that GraphQL does not know', { body: order({ id: 7, documentId: 'x', on: [] }) }],
    ['variables that nobody asks for', { body: order({ variables: { id: 'order_2', other: { id: 1 } } }) }],
    ['null for variables', { body: { query: '{ users(first: 2) { nodes { id } } }', variables: null } }],
    ['no variables', { body: { query: '{ stats { totalUsers asOf } }' } }],
    ['a number for an id', { body: order({ variables: { id: 5 } }) }],
    ['an id that there is not', { body: order({ variables: { id: 'order_999999999' } }) }],
    ['an interface', { body: { query: '{ nodes(ids: ["user_1", "x", "order_1"]) { id __typename ... on User { name } } }' } }],
    ['lists of its own', { body: { query: '{ products(category: "Bücher 漢字") { nodes { id } totalCount } }' } }],
    ['a name that is not ASCII', { body: { query: '{ product(id: "product_2") { name } }' } }],
    ['a charset of the body', { headers: { 'content-type': 'application/json; charset=utf-8' }, body: order() }],
    ['a header against forgery', { headers: { 'apollo-require-preflight': 'yes' }, body: order() }],
  ]

  beforeAll(async () => {
    await app.database.sql`update products set name = ${'Größe "XL" \\ 漢字 \u{1f600} \u2028\n\t'} where id = 2`
  })

  test.each(cases)('with %s: every byte stays the same', async (_, sent) => {
    const [first, ...others] = await sendTimes(5, sent)
    expect(first).toMatchObject({ status: 200, body: expect.stringMatching(/^\{"data":\{.*\}\n$/s) })
    for (const other of others) expect(other).toEqual(first)
    expect(apollo).toHaveBeenCalledTimes(2)
  })
})

describe('a request that the lane leaves to Apollo', () => {
  const hot = orderDocument()
  const variables = { id: 'order_1' }
  const persistedQuery = { version: 1, sha256Hash: '0'.repeat(64) }
  const asQuery = (parts: Record<string, string>) =>
    `/graphql?${new URLSearchParams({ query: hot, variables: '{"id":"order_1"}', ...parts })}`
  const preflight = { 'apollo-require-preflight': 'yes' }

  beforeEach(() => sendTimes(3, { body: { query: hot, variables } }))

  test.each<[string, Sent]>([
    ['GET', { method: 'GET', path: asQuery({}), headers: preflight }],
    ['GET without a header against forgery', { method: 'GET', path: asQuery({}) }],
    ['the hash of a persisted query', { body: { variables, extensions: { persistedQuery } } }],
    ['a persisted query with the wrong hash', { body: { query: hot, variables, extensions: { persistedQuery } } }],
    ['null for the persisted query', { body: { query: hot, variables, extensions: { persistedQuery: null } } }],
    ['a batch', { body: [{ query: hot, variables }] }],
    ['an empty batch', { body: [] }],
    ['null', { body: 'null' }],
    ['plain text', { headers: { 'content-type': 'text/plain' }, body: JSON.stringify({ query: hot, variables }) }],
    ['a form', { headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: `query=${encodeURIComponent(hot)}` }],
    ['a document as it is', { headers: { 'content-type': 'application/graphql' }, body: hot }],
    ['a type that is none', { headers: { 'content-type': 'json' }, body: { query: hot, variables } }],
    ['an Accept that cannot be met', { headers: { accept: 'text/html' }, body: { query: hot, variables } }],
    ['another operation', { body: { query: hot, variables, operationName: 'Other' } }],
    ['an operation without a name', { body: { query: hot, variables, operationName: '' } }],
    ['a number for the name', { body: { query: hot, variables, operationName: 1 } }],
    ['a list for the variables', { body: { query: hot, variables: ['order_1'] } }],
    ['text for the variables', { body: { query: hot, variables: '{"id":"order_1"}' } }],
    ['no variables', { body: { query: hot } }],
    ['null for a variable', { body: { query: hot, variables: { id: null } } }],
    ['an object for a variable', { body: { query: hot, variables: { id: {} } } }],
    ['text for the extensions', { body: { query: hot, variables, extensions: 'text' } }],
    ['a list for the extensions', { body: { query: hot, variables, extensions: [] } }],
    ['a list for the query', { body: { query: [hot], variables } }],
    [
      'a malformed parameter of the type',
      { headers: { 'content-type': 'application/json; charset' }, body: { query: hot, variables } },
    ],
    ['an address with a query', { path: '/graphql?operation=Order', body: { query: hot, variables } }],
    ['escapes in the JSON', { body: JSON.stringify({ query: hot, variables }).replace('order_1', '\\u006frder_1') }],
    ['a key that may not be', { body: `{"query":${JSON.stringify(hot)},"variables":{"id":"order_1","__proto__":{}}}` }],
  ])('%s: is answered as if there were no lane', async (_, sent) => {
    const headers = { 'x-request-id': 'mine', ...sent.headers }
    const ordinary = await sendWithoutLane({ ...sent, headers })
    expect(await sendTimes(3, { ...sent, headers })).toEqual([ordinary, ordinary, ordinary])
  })
})

describe('an error of a document that the lane knows', () => {
  const document = 'query Page($first: Int, $after: String) { users(first: $first, after: $after) { nodes { id } } }'

  test('is the one that a document has that nobody knows', async () => {
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

    const plain = (its: Received) => ({
      ...its,
      body: withoutLocations(its.body),
      headers: its.headers.filter((header) => !/^content-length/i.test(header)),
    })
    expect(hot.map(plain)).toEqual(cold.map(plain))
    expect(JSON.parse(hot[0]?.body ?? '')).toMatchObject({
      data: null,
      errors: [{ path: ['users'], extensions: { code: 'BAD_USER_INPUT', requestId: 'mine' } }],
    })
  })
})

test('a document that is only ever answered with errors is nothing for the lane', async () => {
  const answered = vi.spyOn(Lane.prototype, 'answered')
  await sendTimes(3, { body: { query: '{ users(first: 102) { totalCount } }' } })
  expect(answered).not.toHaveBeenCalled()
})

/** The name of an operation moves what follows it. */
function withoutLocations(body: string): string {
  return body.replaceAll(/"locations":\[.*?\],?/g, '')
}

describe('a load that fails for a document that the lane knows', () => {
  test('is not asked for again by the execution that tells of it', async () => {
    const query = orderDocument()
    const sent = (id: string) => ({ headers: { 'x-request-id': 'mine' }, body: { query, variables: { id } } })
    await sendTimes(3, sent('order_1'))
    expect(apollo).toHaveBeenCalledTimes(2)
    await app.database.sql`alter table products rename to hidden`
    app.takeStatements()
    const hot = await send(sent('order_5'))
    const hotStatements = app.takeStatements()
    const ordinary = await sendWithoutLane(sent('order_6'))
    const ordinaryStatements = app.takeStatements()
    await app.database.sql`alter table hidden rename to products`

    expect(hotStatements.filter((text) => text.includes('products'))).toHaveLength(1)
    expect(hotStatements).toHaveLength(ordinaryStatements.length)
    for (const { status, body } of [hot, ordinary]) {
      expect(status).toBe(200)
      expect(JSON.parse(body).errors[0]).toMatchObject({
        path: [expect.stringMatching(/^its/), 'products', 0],
        extensions: { code: 'INTERNAL_SERVER_ERROR', requestId: 'mine' },
      })
    }
    // Nothing of it stays.
    expect(JSON.parse((await send(sent('order_5'))).body).errors).toBe(undefined)
  })

  test('for want of room is answered 503, and asked for once', async () => {
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

test('a mutation between two reads in the lane is read by the second', async () => {
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

test('mutations are never for the lane: each is carried out', async () => {
  const mutation = `mutation { createOrder(input: { userId: "user_1", productIds: ["product_4"] }) { order { id } } }`
  const ids = new Set<string>()
  for (let count = 0; count < 4; count += 1) ids.add((await app.query(mutation)).data.createOrder.order.id)
  expect(ids.size).toBe(4)
})
