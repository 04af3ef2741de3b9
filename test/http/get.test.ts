import type { OutgoingHttpHeaders } from 'node:http'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../helpers/app.js'
import { get, preflighted, send } from '../helpers/send.js'
import { secret } from '../helpers/tokens.js'

const product = { query: 'query P($id: ID!) { product(id: $id) { name stock } }', variables: '{"id":"product_1"}' }

describe('queries by GET', () => {
  let app: TestApp
  beforeAll(async () => {
    app = await startTestApp()
  })
  afterAll(() => app.stop())

  test('are answered as with POST, and with an ETag', async () => {
    const byGet = await get(app.origin, { ...product, operationName: 'P', extensions: '{}' })
    const byPost = await send(app.origin, { body: { ...product, variables: { id: 'product_1' } } })
    expect(byGet.status).toBe(200)
    expect(byGet.text).toBe(byPost.text)
    expect(byGet.headers.etag).toMatch(/^W\/"[\w-]{43}"$/)
    expect(byPost.headers).not.toHaveProperty('etag')
  })

  test('with HEAD return the same headers, and no body', async () => {
    const path = `/graphql?${new URLSearchParams(product)}`
    const [byGet, byHead] = [
      await get(app.origin, product),
      await send(app.origin, { method: 'HEAD', path, headers: preflighted }),
    ]
    const plain = ({ headers: { date, connection, 'x-request-id': _, 'content-length': length, ...others } }: typeof byGet) =>
      others
    expect(plain(byHead)).toEqual(plain(byGet))
    expect([byHead.status, byHead.text]).toEqual([200, ''])
  })

  test('return 304 without a body if one of the ETags in If-None-Match matches', async () => {
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

  test('return 200 again after the data changed', async () => {
    const { etag = '' } = (await get(app.origin, product)).headers
    await app.query('mutation { updateProductStock(productId: "product_1", stock: 4711) { userErrors { code } } }')
    const changed = await get(app.origin, product, { 'if-none-match': etag })
    expect(changed.status).toBe(200)
    expect(changed.json.data.product.stock).toBe(4711)
    expect(changed.headers.etag).not.toBe(etag)
  })

  test('have ETags if the response is private, and none if it must not be stored', async () => {
    const order = await get(app.origin, { query: '{ order(id: "order_1") { total } }' })
    expect(order.headers).toMatchObject({ 'cache-control': 'private, no-cache', etag: expect.any(String) })
    const stats = await get(app.origin, { query: '{ stats { totalUsers } }' }, { 'if-none-match': '*' })
    expect(stats.status).toBe(200)
    expect(stats.headers).not.toHaveProperty('etag')
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
    ['variables that are not JSON', 'query={__typename}&variables=x', 'invalid JSON'],
    ['extensions that are not JSON', 'query={__typename}&extensions=x', 'invalid JSON'],
    ['nothing', 'x=1', 'must contain a non-empty `query`'],
  ])('with %s are refused', async (_, search, message) => {
    const { status, json } = await send(app.origin, { method: 'GET', path: `/graphql?${search}`, headers: preflighted })
    expect(status).toBe(400)
    expect(json.errors[0]).toMatchObject({ message: expect.stringContaining(message), extensions: { code: 'BAD_REQUEST' } })
  })
})

describe('a query by GET without a preflight', () => {
  const path = `/graphql?${new URLSearchParams(product)}`
  const shop = 'https://shop.example'
  const foreign: OutgoingHttpHeaders[] = [
    { origin: 'https://evil.example' },
    { origin: 'null' },
    { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'cors' },
    { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' },
    { 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'no-cors' },
    { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' },
  ]
  const own: OutgoingHttpHeaders[] = [
    { origin: shop },
    { origin: shop, 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'cors' },
    { 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'cors' },
    { 'sec-fetch-site': 'none', 'sec-fetch-mode': 'navigate' },
    { 'sec-fetch-mode': 'cors' },
  ]
  const unknown: OutgoingHttpHeaders[] = [{}, { accept: 'application/json' }, { 'content-type': '' }]
  const withPreflight: OutgoingHttpHeaders[] = [
    preflighted,
    { 'x-apollo-operation-name': 'P' },
    { 'content-type': 'application/json' },
  ]

  test.each<[string, Record<string, string>, { executed: OutgoingHttpHeaders[]; refused: OutgoingHttpHeaders[] }]>([
    ['with authentication', { AUTH_JWT_SECRET: secret }, { executed: [...own, ...unknown], refused: foreign }],
    ['without authentication', {}, { executed: own, refused: [...foreign, ...unknown] }],
    [
      'without authentication that lets all pages read',
      { CORS_ORIGINS: '*' },
      { executed: [...own, ...foreign, ...unknown], refused: [] },
    ],
  ])(
    'to a server %s is executed unless a page that may not read the response may have sent it',
    async (_, env, { executed, refused }) => {
      const app = await startTestApp({ env: { CORS_ORIGINS: shop, ...env } })
      for (const headers of [...executed, ...withPreflight]) {
        const { status, json } = await send(app.origin, { method: 'GET', path, headers })
        expect([status, json.data?.product.name], JSON.stringify(headers)).toEqual([200, expect.any(String)])
      }
      for (const headers of refused) {
        const { status, json } = await send(app.origin, { method: 'GET', path, headers })
        expect([status, json.errors?.[0].extensions.code], JSON.stringify(headers)).toEqual([400, 'BAD_REQUEST'])
        expect(json.errors[0].message).toMatch(/header apollo-require-preflight: true.*docs\/clients\.md/)
      }
      await app.stop()
    },
  )
})

describe('a batch', () => {
  test.each([[[{ query: '{ __typename }' }, { query: '{ __typename }' }]], [[]]])(
    'is refused with the reason: %j',
    async (body) => {
      const app = await startTestApp()
      try {
        const { status, json } = await send(app.origin, { body, headers: { 'x-request-id': 'mine' } })
        expect(status).toBe(400)
        expect(json.errors).toEqual([
          {
            message: 'Batches are not supported, send each operation in its own request',
            extensions: { code: 'BAD_REQUEST', requestId: 'mine' },
          },
        ])
      } finally {
        await app.stop()
      }
    },
  )
})
