import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../helpers/app.js'
import { get, preflighted, send } from '../helpers/send.js'

const product = { query: 'query P($id: ID!) { product(id: $id) { name stock } }', variables: '{"id":"product_1"}' }

describe('queries by GET', () => {
  let app: TestApp
  beforeAll(async () => {
    app = await startTestApp()
  })
  afterAll(() => app.stop())

  test('are answered as by POST, with a tag', async () => {
    const byGet = await get(app.origin, { ...product, operationName: 'P', extensions: '{}' })
    const byPost = await send(app.origin, { body: { ...product, variables: { id: 'product_1' } } })
    expect(byGet.status).toBe(200)
    expect(byGet.text).toBe(byPost.text)
    expect(byGet.headers.etag).toMatch(/^W\/"[\w-]{43}"$/)
    expect(byPost.headers).not.toHaveProperty('etag')
  })

  test('by HEAD get the same headers, and no body', async () => {
    const path = `/graphql?${new URLSearchParams(product)}`
    const [byGet, byHead] = [
      await get(app.origin, product),
      await send(app.origin, { method: 'HEAD', path, headers: preflighted }),
    ]
    const plain = ({ headers: { date, connection, 'x-request-id': _, 'content-length': length, ...its } }: typeof byGet) => its
    expect(plain(byHead)).toEqual(plain(byGet))
    expect([byHead.status, byHead.text]).toEqual([200, ''])
  })

  test('are 304 without a body for those who have the answer, whatever else they have', async () => {
    const { headers } = await get(app.origin, product)
    const { etag = '' } = headers
    for (const known of [etag, etag.replace('W/', ''), `"other", ${etag}`, '*', `${etag},"x"`]) {
      const again = await get(app.origin, product, { 'if-none-match': known, 'accept-encoding': 'br' })
      expect([again.status, again.bytes.length]).toEqual([304, 0])
      expect(again.headers).toMatchObject({ etag, 'cache-control': headers['cache-control'], vary: headers.vary })
      expect(again.headers).not.toHaveProperty('content-type')
    }
    const head = { method: 'HEAD', path: `/graphql?${new URLSearchParams(product)}` } as const
    expect((await send(app.origin, { ...head, headers: { ...preflighted, 'if-none-match': etag } })).status).toBe(304)
    for (const other of ['"other"', etag.slice(0, -2), '']) {
      expect((await get(app.origin, product, { 'if-none-match': other })).status).toBe(200)
    }
  })

  test('are 200 again when the data changed', async () => {
    const { etag = '' } = (await get(app.origin, product)).headers
    await app.query('mutation { updateProductStock(productId: "product_1", stock: 4711) { userErrors { code } } }')
    const changed = await get(app.origin, product, { 'if-none-match': etag })
    expect(changed.status).toBe(200)
    expect(changed.json.data.product.stock).toBe(4711)
    expect(changed.headers.etag).not.toBe(etag)
  })

  test('have tags for what only the one who asked may store, and none for what nobody may', async () => {
    const order = await get(app.origin, { query: '{ order(id: "order_1") { total } }' })
    expect(order.headers).toMatchObject({ 'cache-control': 'private, no-cache', etag: expect.any(String) })
    const stats = await get(app.origin, { query: '{ stats { totalUsers } }' }, { 'if-none-match': '*' })
    expect(stats.status).toBe(200)
    expect(stats.headers).not.toHaveProperty('etag')
  })

  test('need a header that a page of another origin cannot send unasked', async () => {
    const path = `/graphql?${new URLSearchParams(product)}`
    const plain = await send(app.origin, { method: 'GET', path })
    expect(plain.status).toBe(400)
    expect(plain.json.errors[0].message).toContain('apollo-require-preflight')
    for (const headers of [preflighted, { 'x-apollo-operation-name': 'P' }, { 'content-type': 'application/json' }]) {
      expect((await send(app.origin, { method: 'GET', path, headers })).status).toBe(200)
    }
  })

  test('never write', async () => {
    const query = 'mutation { updateProductStock(productId: "product_2", stock: 1) { userErrors { code } } }'
    const before = (await app.query('{ product(id: "product_2") { stock } }')).data
    const byGet = await get(app.origin, { query })
    const byHead = await send(app.origin, {
      ...{ method: 'HEAD', path: `/graphql?${new URLSearchParams({ query })}`, headers: preflighted },
    })
    expect([byGet.status, byHead.status, byGet.headers.allow]).toEqual([405, 405, 'POST'])
    expect((await app.query('{ product(id: "product_2") { stock } }')).data).toEqual(before)
  })

  test.each([
    ['two queries', 'query={__typename}&query={__typename}', "The 'query' search parameter may only be specified once."],
    ['variables that are no JSON', 'query={__typename}&variables=x', 'invalid JSON'],
    ['extensions that are no JSON', 'query={__typename}&extensions=x', 'invalid JSON'],
    ['nothing', 'x=1', 'must contain a non-empty `query`'],
  ])('with %s are refused', async (_, search, message) => {
    const { status, json } = await send(app.origin, { method: 'GET', path: `/graphql?${search}`, headers: preflighted })
    expect(status).toBe(400)
    expect(json.errors[0]).toMatchObject({ message: expect.stringContaining(message), extensions: { code: 'BAD_REQUEST' } })
  })
})

describe('a batch', () => {
  test.each([[[{ query: '{ __typename }' }, { query: '{ __typename }' }]], [[]]])(
    'is refused, and told why: %j',
    async (body) => {
      const app = await startTestApp()
      try {
        const { status, json } = await send(app.origin, { body, headers: { 'x-request-id': 'mine' } })
        expect(status).toBe(400)
        expect(json.errors).toEqual([
          {
            message: 'Batches are not accepted, send every operation as a request of its own',
            extensions: { code: 'BAD_REQUEST', requestId: 'mine' },
          },
        ])
      } finally {
        await app.stop()
      }
    },
  )
})
