import { ApolloServer } from '@apollo/server'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { startTestApp, type TestApp } from '../helpers/app.js'
import { get, send } from '../helpers/send.js'

const large = '{ products(first: 100) { nodes { id name price stock category } } }'
const small = '{ products(first: 2) { nodes { id } } }'

describe('a response', () => {
  let app: TestApp
  let plain: string
  beforeAll(async () => {
    app = await startTestApp({ env: { CACHE_NEAR_MB: '8' } })
    plain = (await send(app.origin, { body: { query: large } })).text
    expect(plain.length).toBeGreaterThan(8_000)
  })
  afterAll(() => app.stop())

  test.each([
    ['br', 'br'],
    ['gzip', 'gzip'],
    ['gzip, deflate, br, zstd', 'br'],
    ['gzip;q=1.0, br;q=0.5', 'gzip'],
    ['br;q=0, *', 'gzip'],
    ['*', 'br'],
    ['identity', undefined],
    ['deflate', undefined],
    ['gzip;q=0', undefined],
    ['*;q=0', undefined],
    ['', undefined],
    [',;=q', undefined],
  ])(
    'that is large, for Accept-Encoding: %s, is sent as %s, on the standard path and the fast path',
    async (accepted, encoding) => {
      const headers = { 'accept-encoding': accepted, 'x-request-id': 'mine' }
      // A new document each time, so that the first responses come from the standard path.
      const query = `${large} # ${accepted}`
      const apollo = vi.spyOn(ApolloServer.prototype, 'executeHTTPGraphQLRequest')
      const answers = []
      for (let times = 0; times < 5; times += 1) answers.push(await send(app.origin, { headers, body: { query } }))
      expect(apollo).toHaveBeenCalledTimes(2)
      apollo.mockRestore()
      for (const { headers, bytes, text } of answers) {
        expect(headers['content-encoding']).toBe(encoding)
        expect(Number(headers['content-length'])).toBe(bytes.length)
        expect(headers.vary).toContain('Accept-Encoding')
        expect(text).toBe(plain)
        if (encoding) expect(bytes.length).toBeLessThan(plain.length / 3)
        expect(Object.entries({ ...headers, date: '' })).toEqual(Object.entries({ ...answers[0]?.headers, date: '' }))
      }
    },
  )

  test('that is small is not compressed', async () => {
    for (let times = 0; times < 4; times += 1) {
      const { headers, json } = await send(app.origin, { headers: { 'accept-encoding': 'gzip, br' }, body: { query: small } })
      expect(headers).not.toHaveProperty('content-encoding')
      expect(json.data.products.nodes).toHaveLength(2)
    }
  })

  test('to a GET has the same ETag in every encoding', async () => {
    const answers = []
    for (const accepted of ['br', 'gzip', 'identity'])
      answers.push(await get(app.origin, { query: large }, { 'accept-encoding': accepted }))
    expect(answers.map(({ headers }) => headers['content-encoding'])).toEqual(['br', 'gzip', undefined])
    expect(new Set(answers.map(({ headers }) => headers.etag)).size).toBe(1)
    for (const { text } of answers) expect(text).toBe(plain)
  })

  test('that is a page or a file is compressed too, and its ETag becomes weak', async () => {
    const [plain, compressed] = await Promise.all(
      ['identity', 'gzip'].map((accepted) =>
        send(app.origin, { method: 'GET', path: '/schema.graphql', headers: { 'accept-encoding': accepted } }),
      ),
    )
    expect(compressed?.headers).toMatchObject({ 'content-encoding': 'gzip', etag: `W/${plain?.headers.etag}` })
    expect(compressed?.text).toBe(plain?.text)
    const headers = { 'accept-encoding': 'gzip', 'if-none-match': compressed?.headers.etag }
    expect((await send(app.origin, { method: 'GET', path: '/schema.graphql', headers })).status).toBe(304)
  })

  test('that is a file is complete in each encoding, also when it is sent again', async () => {
    const path = '/assets/graphiql/graphiql.css'
    const plain = await send(app.origin, { method: 'GET', path })
    for (let times = 0; times < 3; times += 1) {
      for (const encoding of ['br', 'gzip']) {
        const { headers, text } = await send(app.origin, { method: 'GET', path, headers: { 'accept-encoding': encoding } })
        expect(headers).toMatchObject({ 'content-encoding': encoding, etag: `W/${plain.headers.etag}` })
        expect(text).toBe(plain.text)
      }
    }
  })

  test('is complete, compressed or not, when a hundred are sent at once', async () => {
    const all = await Promise.all(
      Array.from({ length: 100 }, () => send(app.origin, { headers: { 'accept-encoding': 'gzip' }, body: { query: large } })),
    )
    for (const { status, text } of all) expect([status, text]).toEqual([200, plain])
  })
})
