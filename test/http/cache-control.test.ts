import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../helpers/app.js'
import { get, send } from '../helpers/send.js'
import { adminToken, customerToken, secret } from '../helpers/tokens.js'

const catalogue = 'public, max-age=5, stale-while-revalidate=5'
const personal = 'private, no-cache'

describe('Cache-Control', () => {
  let app: TestApp
  beforeAll(async () => {
    app = await startTestApp({ env: { CACHE_NEAR_MB: '8' } })
  })
  afterAll(() => app.stop())

  const cacheControlOf = async (query: string) => (await send(app.origin, { body: { query } })).headers['cache-control']

  test.each([
    ['{ product(id: "product_1") { name price } }', catalogue],
    ['{ product(id: "product_999999999") { name } }', catalogue],
    ['{ products(first: 3) { nodes { name } pageInfo { hasNextPage } totalCount } }', catalogue],
    ['{ products(first: 3) { totalCount } }', catalogue],
    ['{ products(first: 3) { edges { cursor node { id } } } }', catalogue],
    ['{ a: product(id: "product_1") { ...Fields } } fragment Fields on Product { name }', catalogue],
    ['{ __typename product(id: "product_1") { __typename } }', catalogue],
    ['{ user(id: "user_1") { name } }', personal],
    ['{ users(first: 1) { totalCount } }', personal],
    ['{ user(id: "user_1") { orders(first: 1) { totalCount } } }', personal],
    ['{ order(id: "order_1") { total } }', personal],
    ['{ order(id: "order_1") { products { name } } }', personal],
    ['{ product(id: "product_1") { name } order(id: "order_1") { user { name } } }', personal],
    ['{ product(id: "product_1") { name } user(id: "user_1") @skip(if: true) { name } }', personal],
    ['{ ...Fields } fragment Fields on Query { product(id: "product_1") { name } user(id: "user_1") { id } }', personal],
    ['{ stats { totalOrders } }', 'no-store'],
    ['{ cacheInfo { backend } }', 'no-store'],
    ['{ product(id: "product_1") { name } stats { totalOrders } }', 'no-store'],
    ['{ node(id: "product_1") { ... on Product { name } } }', 'no-store'],
    ['{ nodes(ids: ["user_1"]) { ... on User { name } } }', 'no-store'],
    ['{ __typename }', 'no-store'],
    ['{ __schema { queryType { name } } }', 'no-store'],
    ['{ products(first: 101) { totalCount } }', 'no-store'],
    ['{ product(id: "product_1") { nothing } }', 'no-store'],
    ['{', 'no-store'],
    ['mutation { updateProductStock(productId: "product_1", stock: 5) { product { stock } } }', 'no-store'],
  ])('of %s is %s, on the standard path and the fast path', async (query, cacheControl) => {
    for (let times = 0; times < 4; times += 1) expect(await cacheControlOf(query)).toBe(cacheControl)
  })

  test('is the strictest of all operations in a document', async () => {
    const query = 'query A { product(id: "product_1") { name } } query B { stats { totalOrders } }'
    const { headers, json } = await send(app.origin, { body: { query, operationName: 'A' } })
    expect(json.data.product).toBeDefined()
    expect(headers['cache-control']).toBe('no-store')
  })

  test('of a response with a field error is no-store', async () => {
    await app.database.sql`alter table products rename to hidden`
    try {
      const query = '{ product(id: "product_77") { name } }'
      const { headers, json } = await get(app.origin, { query })
      expect(json.errors).toHaveLength(1)
      expect(headers).toMatchObject({ 'cache-control': 'no-store' })
      expect(headers).not.toHaveProperty('etag')
    } finally {
      await app.database.sql`alter table hidden rename to products`
    }
  })

  test('of a response that is not GraphQL is no-store', async () => {
    for (const path of ['/nowhere', '/health', '/graphql', '/graphql?query={__typename}']) {
      expect((await send(app.origin, { method: 'GET', path })).headers['cache-control']).toBe('no-store')
    }
  })

  test('comes with a Vary header that lists the headers it depends on', async () => {
    const query = '{ product(id: "product_1") { name } }'
    for (let times = 0; times < 4; times += 1) {
      const { headers } = await send(app.origin, { body: { query }, headers: { origin: 'https://studio.apollographql.com' } })
      expect(headers.vary).toBe('Accept, Accept-Encoding, Origin')
    }
    expect((await get(app.origin, { query })).headers.vary).toBe('Accept, Accept-Encoding, Origin')
  })

  test('of a preflight response lets browsers reuse it', async () => {
    const headers = {
      origin: 'https://studio.apollographql.com',
      'access-control-request-method': 'GET',
      'access-control-request-headers': 'apollo-require-preflight',
    }
    expect((await send(app.origin, { method: 'OPTIONS', headers })).headers).toMatchObject({
      'access-control-allow-origin': headers.origin,
      'access-control-allow-headers': 'apollo-require-preflight',
      'access-control-max-age': '600',
    })
  })
})

describe('the viewer', () => {
  let app: TestApp
  let tokens: { owner: string; other: string; admin: string }
  beforeAll(async () => {
    app = await startTestApp({ env: { CACHE_NEAR_MB: '8', AUTH_JWT_SECRET: secret } })
    const [row] = await app.database.sql`select user_id from orders where id = 1`
    const owner = Number(row?.user_id)
    tokens = {
      owner: await customerToken(`user_${owner}`),
      other: await customerToken(`user_${owner === 1 ? 2 : 1}`),
      admin: await adminToken(),
    }
  })
  afterAll(() => app.stop())

  const as = (token: string) => ({ authorization: `Bearer ${token}` })

  test('makes no difference to the catalogue, which shared caches may store', async () => {
    const query = '{ products(first: 2) { nodes { id name } } }'
    const anonymous = await get(app.origin, { query })
    expect(anonymous.headers['cache-control']).toBe(catalogue)
    for (const token of Object.values(tokens)) {
      const { headers, text } = await get(app.origin, { query }, as(token))
      expect([headers['cache-control'], headers.etag, text]).toEqual([catalogue, anonymous.headers.etag, anonymous.text])
    }
  })

  test('determines the response to an order, even if the ETag of the other response is sent', async () => {
    const query = '{ order(id: "order_1") { total } }'
    const own = await get(app.origin, { query }, as(tokens.owner))
    expect(own.headers['cache-control']).toBe(personal)
    expect(own.json.data.order.total).toEqual(expect.any(Number))
    const known = { 'if-none-match': own.headers.etag }
    expect((await get(app.origin, { query }, { ...as(tokens.owner), ...known })).status).toBe(304)
    const others = await get(app.origin, { query }, { ...as(tokens.other), ...known })
    expect([others.status, others.headers['cache-control'], others.json.data]).toEqual([200, personal, { order: null }])
    const refused = await get(app.origin, { query }, known)
    expect([refused.status, refused.headers['cache-control']]).toEqual([401, 'no-store'])
  })

  test('with an invalid token is refused, and the response is not stored', async () => {
    const { status, headers } = await get(app.origin, { query: '{ products { totalCount } }' }, as('x'))
    expect([status, headers['cache-control']]).toEqual([401, 'no-store'])
  })
})
