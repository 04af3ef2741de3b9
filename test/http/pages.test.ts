import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { starterOperations, withComment } from '../../src/http/pages/starter-operations.js'
import { startTestApp, type TestApp } from '../helpers/app.js'
import { noRedis, startRedis } from '../helpers/redis.js'
import { until } from '../helpers/until.js'

let app: TestApp
beforeAll(async () => {
  app = await startTestApp()
})
afterAll(() => app.stop())

const get = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
  fetch(`${app.origin}${path}`, { method, headers, redirect: 'manual' })

describe('the starter operations', () => {
  test.each(starterOperations)('runs unchanged: $about', async (operation) => {
    const { data, errors } = await app.query(withComment(operation))
    expect(errors).toBeUndefined()
    for (const answer of Object.values(data)) {
      expect(answer).not.toBeNull()
      expect(answer.userErrors ?? []).toEqual([])
    }
  })

  test('Order shows what ChangeStock changed', async () => {
    const [order, change] = ['query Order', 'mutation ChangeStock'].map(
      (start) => starterOperations.find(({ document }) => document.startsWith(start))?.document as string,
    ) as [string, string]
    await app.query(order)
    const { product } = (await app.query(change)).data.updateProductStock
    expect((await app.query(order)).data.order.products).toContainEqual(expect.objectContaining(product))
  })

  test('they can be combined in one document', async () => {
    const response = await fetch(`${app.origin}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query: starterOperations.map(withComment).join('\n'), operationName: 'Order' }),
    })
    expect(await response.json()).toMatchObject({ data: { order: { id: 'order_1', user: { name: expect.any(String) } } } })
  })
})

describe('the landing page', () => {
  test('shows a browser the state', async () => {
    const response = await get('/', { accept: 'text/html' })
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8')
    expect(response.headers.get('cache-control')).toBe('no-store')
    const page = await response.text()
    expect(page).toContain('<strong>healthy</strong>')
    expect(page).toContain('Cache (memory)')
  })

  test.skipIf(noRedis)('reports that the cache is down, and what that means', async () => {
    const redis = await startRedis()
    const other = await startTestApp({ redisUrl: redis.url })
    const page = async () => (await fetch(other.origin, { headers: { accept: 'text/html' } })).text()
    expect(await page()).toContain('<strong>healthy</strong>')
    await redis.kill()
    await until(async () =>
      (await page()).includes('<strong>degraded</strong>: the cache is unavailable; answers come from the database'),
    )
    expect(await page()).toContain('<dt>Cache (redis)</dt><dd>down: the cache server cannot be reached')
    await other.stop()
    await redis.stop()
  })

  test('shows a terminal the same as text', async () => {
    const response = await get('/')
    expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-8')
    const text = await response.text()
    expect(text).toContain('graphql-cached-shop: healthy')
    expect(text).toContain(`curl -s ${app.origin}/graphql`)
  })

  test('has no dead links', async () => {
    const page = await (await get('/', { accept: 'text/html' })).text()
    const paths = [...page.matchAll(/(?:href|src)="(.*?)"/g)].map(([, path = '']) => path)
    expect(paths).toEqual(expect.arrayContaining(['/graphql', '/graphiql', '/schema.graphql', '/health', '/assets/pages.css']))
    for (const path of paths) expect([path, (await get(path, { accept: 'text/html' })).status]).toEqual([path, 200])
  })

  test('shows a command that works', async () => {
    const [, body = ''] = /-d '(.*)'/.exec(await (await get('/')).text()) ?? []
    const { data } = await app.query(JSON.parse(body).query)
    expect(data.order.user.name).toEqual(expect.any(String))
  })
})

describe('/schema.graphql', () => {
  /** Without Accept-Encoding, because a compressed response has a weak ETag */
  const plain = { 'accept-encoding': 'identity' }

  test('is the SDL, with a Content-Type and a strong ETag', async () => {
    const response = await get('/schema.graphql', plain)
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-8')
    expect(response.headers.get('etag')).toMatch(/^"[\w-]{43}"$/)
    expect(await response.text()).toBe(readFileSync('schema.graphql', 'utf8'))
  })

  test('returns 304 without a body if the client has it already', async () => {
    const etag = (await get('/schema.graphql', plain)).headers.get('etag') as string
    for (const known of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
      const response = await get('/schema.graphql', { 'if-none-match': known })
      expect([known, response.status, response.headers.get('etag'), await response.text()]).toEqual([known, 304, etag, ''])
    }
    expect((await get('/schema.graphql', { 'if-none-match': '"other"' })).status).toBe(200)
  })

  test('returns the same headers with HEAD', async () => {
    const [head, whole] = [await get('/schema.graphql', {}, 'HEAD'), await get('/schema.graphql')]
    for (const name of ['content-type', 'content-length', 'etag'])
      expect([name, head.headers.get(name)]).toEqual([name, whole.headers.get(name)])
    expect(await head.text()).toBe('')
  })
})

test.each(['/graphql', '/graphiql', '/dashboard'])(
  '%s has the same Content-Security-Policy if it did not change, because browsers replace the stored one',
  async (path) => {
    const page = await get(path, { accept: 'text/html' })
    const again = await get(path, { accept: 'text/html', 'if-none-match': page.headers.get('etag') ?? '' })
    expect(again.status).toBe(page.headers.has('etag') ? 304 : 200)
    expect(again.headers.get('content-security-policy')).toBe(page.headers.get('content-security-policy'))
    expect(page.headers.get('content-security-policy')).toContain("script-src 'self'")
  },
)

test.each(['/', '/graphql', '/graphiql'])(
  '%s has no inline scripts or styles, so a Content-Security-Policy can forbid them',
  async (path) => {
    const page = await (await get(path, { accept: 'text/html' })).text()
    expect(page).not.toMatch(/<script(?![^>]* src=)|<style|\s(on\w+|style)=/)
  },
)

test('an unknown file of GraphiQL is 404', async () => {
  for (const name of ['nothing.js', '__proto__', '..%2f..%2fpackage.json'])
    expect((await get(`/assets/graphiql/${name}`)).status).toBe(404)
})
