import { readFileSync } from 'node:fs'
import { ApolloServer } from '@apollo/server'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { type Answer, startTestApp, type TestApp } from '../helpers/app.js'
import { post } from '../helpers/post.js'

let app: TestApp
beforeAll(async () => {
  app = await startTestApp({ env: { MAX_COST: '8', CACHE_NEAR_MB: '8' } })
})
afterAll(() => app.stop())

interface Cost {
  requested: number
  maximum: number
  remaining?: number
}

async function report(header: string, query: string, variables: Record<string, unknown> = {}) {
  const response = await fetch(`${app.origin}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-cost-report': header },
    body: JSON.stringify({ query, variables }),
  })
  const answer = (await response.json()) as Answer<unknown> & { extensions?: { cost: Cost } }
  return { status: response.status, cacheControl: response.headers.get('cache-control'), ...answer }
}

const order = '{ id user { name } products { name } }'
const page = 'query($first: Int, $last: Int = 3) { products(first: $first, last: $last) { nodes { id } } }'
const costs: [cost: number, query: string, variables?: Record<string, unknown>][] = [
  [1, '{ __typename }'],
  [3, '{ product(id: "product_1") { name price } }'],
  [4, '{ a: product(id: "product_1") { name } b: product(id: "product_2") { name } }'],
  [3, '{ product(id: "product_1") { name } product(id: "product_1") { price } }'],
  [5, `{ order(id: "order_1") ${order} }`],
  // Two levels, a page and 20 products by default; totalCount costs 2, pageInfo and edges nothing
  [5, '{ products { nodes { id } } }'],
  [5, '{ products { edges { cursor node { id } } pageInfo { endCursor } } }'],
  [5, '{ products { totalCount } }'],
  [7, '{ products { nodes { id } edges { node { name } } } }'],
  [4, '{ products(first: 5) { nodes { id } } }'],
  [4, '{ products(last: 7) { nodes { id } } }'],
  [4, '{ products(first: 0) { nodes { id } } }'],
  [9, '{ products(first: 100000) { nodes { id } } }'],
  [4, '{ products(first: -5) { nodes { id } } }'],
  [8, `{ user(id: "user_1") { orders(first: 5) { nodes ${order} } } }`],
  [8, '{ users(first: 4) { nodes { orders(first: 3) { nodes { user { id } } } } } }'],
  [4, page, { first: 5 }],
  [4, page],
  [4, page, { first: null }],
  [5, page, { first: null, last: null }],
  [9, page, { first: 1e9 }],
  [3, 'query($ids: [ID!]!) { nodes(ids: $ids) { id } }', { ids: ['user_1', 'product_1', 'order_1'] }],
  [3, 'query($ids: [ID!]!) { nodes(ids: $ids) { id } }', { ids: 'user_1' }],
  [3, 'query($id: ID!) { nodes(ids: [$id, "product_1"]) { id } }', { id: 'user_1' }],
  // The most expensive possible type counts.
  [5, `{ node(id: "order_1") { id ... on User { name } ... on Order ${order} } }`],
  [5, `{ node(id: "order_1") { ...Any } } fragment Any on Node { id ... on Order ${order} }`],
  // Fields with @include or @skip count.
  [
    5,
    `query($is: Boolean = false) { order(id: "order_1") { id user @include(if: $is) { name } products @skip(if: $is) { name } } }`,
  ],
  [3, '{ stats { revenue caches { namespace } } }'],
  [9, '{ __schema { queryType { name } } }'],
  [13, 'mutation { updateProductStock(productId: "product_1", stock: 1) { product { id } userErrors { code } } }'],
  [
    15,
    `mutation($id: ID!) { createOrder(input: { userId: $id, productIds: ["product_1"] }) { order ${order} } }`,
    { id: 'user_1' },
  ],
  [
    13,
    'mutation($inputs: [CreateProductInput!]!) { createProducts(inputs: $inputs) { products { id } userErrors { code } } }',
    { inputs: Array(3).fill({ name: 'A', price: 1, stock: 1, category: 'A' }) },
  ],
  [112, 'mutation { warmUpCache { warmed { namespace } } }'],
]

describe('a dry run', () => {
  test.each(costs)('costs %i: %s %j', async (requested, query, variables) => {
    const { extensions, ...answer } = await report('dry-run', query, variables)
    expect(answer).toEqual({ status: 200, cacheControl: 'no-store', data: null })
    expect(extensions).toEqual({ cost: { requested, maximum: 8 } })
  })

  test('neither reads nor changes anything', async () => {
    app.takeStatements()
    await report('dry-run', 'mutation { deleteCategory(category: "Books") { deletedCount } }')
    await report('dry-run', '{ products(category: "Never asked for") { nodes { id } } }')
    expect(app.takeStatements()).toEqual([])
  })

  test('reports validation errors of the document', async () => {
    expect(await report('dry-run', '{ nothing }')).toMatchObject({
      status: 400,
      errors: [{ extensions: { code: 'GRAPHQL_VALIDATION_FAILED' } }],
    })
  })
})

describe('the cost', () => {
  test('is reported with the response if the request asks for it', async () => {
    const { extensions, data, cacheControl } = await report('1', '{ product(id: "product_1") { id } }')
    expect({ extensions, data, cacheControl }).toEqual({
      data: { product: { id: 'product_1' } },
      extensions: { cost: { requested: 3, maximum: 8 } },
      cacheControl: 'no-store',
    })
  })

  test('is not reported otherwise', async () => {
    expect(await app.query('{ product(id: "product_1") { id } }')).toEqual({ data: { product: { id: 'product_1' } } })
  })

  test('may be at most the maximum, for the variables of each request, on the standard path and the fast path', async () => {
    const asked = vi.spyOn(ApolloServer.prototype, 'executeHTTPGraphQLRequest')
    const query = 'query($first: Int!) { products(first: $first) { nodes { id } } }'
    const ask = async (first: number) => {
      const { status, data, errors } = await post(app, query, { first })
      return { status, nodes: data?.products.nodes.length, ...errors?.[0] }
    }
    const answered = { status: 200, nodes: 99 }
    const rejected = {
      status: 400,
      message: 'The request could cost 9 points, but at most 8 are allowed: request smaller pages or fewer fields',
      extensions: { code: 'COST_LIMIT_EXCEEDED', cost: { requested: 9, maximum: 8 }, requestId: expect.any(String) },
    }
    expect(await ask(100)).toEqual(rejected)
    expect(await ask(99)).toEqual(answered)
    expect(await ask(99)).toEqual(answered)
    asked.mockClear()
    expect(await ask(99)).toEqual(answered)
    expect(asked).not.toHaveBeenCalled()
    expect(await ask(100)).toEqual(rejected)
    expect(asked).toHaveBeenCalledTimes(1)
    expect(await ask(99)).toEqual(answered)
    expect(asked).toHaveBeenCalledTimes(1)
    asked.mockRestore()
  })

  test('that is too high is rejected before anything is read', async () => {
    app.takeStatements()
    expect((await post(app, '{ users(first: 100) { nodes { id } } }')).status).toBe(400)
    expect(app.takeStatements()).toEqual([])
  })
})

describe('docs/security.md', () => {
  const docs = readFileSync('docs/security.md', 'utf8')

  test('states the cost of its example correctly', async () => {
    const [, query = ''] = /```graphql\n(.*?)```/s.exec(docs) ?? []
    const [, small, large] = /= (\d+) points; without the variable, 20 orders make it (\d+)\./.exec(docs) ?? []
    expect((await report('dry-run', query, { first: 5 })).extensions?.cost.requested).toBe(Number(small))
    expect((await report('dry-run', query)).extensions?.cost.requested).toBe(Number(large))
  })

  test('shows the response of its command correctly, for the default maximum', async () => {
    const [, body = ''] = /-d '(.*?)'/.exec(docs) ?? []
    const [, shown = ''] = /```json\n(.*?)\n```/s.exec(docs) ?? []
    const { data, extensions } = await report('dry-run', JSON.parse(body).query)
    expect({ data, extensions: { cost: { ...extensions?.cost, maximum: 250 } } }).toEqual(JSON.parse(shown))
  })
})
