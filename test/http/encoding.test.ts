import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../helpers/app.js'
import { openSocket } from '../helpers/live.js'
import { connectRaw } from '../helpers/raw-client.js'
import { send } from '../helpers/send.js'

const document = 'query Named($category: String) { products(category: $category) { totalCount } }'
const body = (category: string) => JSON.stringify({ query: document, variables: { category } })
const rename = 'mutation { updateUser(input: { id: "user_1", name: "Jürgen" }) { user { name } } }'
const json = 'application/json'

describe('data that is not UTF-8 is refused, and nothing of it is stored', () => {
  let app: TestApp
  beforeAll(async () => {
    app = await startTestApp()
    // Compiled, so that the fast path sees it first
    for (let time = 0; time < 4; time += 1) await post('/graphql', json, Buffer.from(body('Bücher')))
  })
  afterAll(() => app.stop())

  async function post(path: string, type: string, bytes: Buffer, headers: Record<string, string> = {}) {
    const response = await fetch(`${app.origin}${path}`, {
      method: 'POST',
      headers: { 'content-type': type, ...headers },
      body: bytes,
    })
    return { status: response.status, ...((await response.json()) as object) }
  }
  const refused = (status: number, message: string) => ({ status, errors: [{ message, extensions: { code: 'BAD_REQUEST' } }] })
  const notUtf8 = refused(400, 'The body is not UTF-8')
  const otherCharset = refused(415, 'The charset of the body must be UTF-8')

  test.each([
    ['in Latin-1, declared as such', `${json}; charset=ISO-8859-1`, Buffer.from(body('Bücher'), 'latin1'), otherCharset],
    ['in UTF-16, declared as such', `${json};charset="utf-16le"`, Buffer.from(body('Bücher'), 'utf16le'), otherCharset],
    ['in Latin-1, declared as UTF-8', `${json}; charset=utf-8`, Buffer.from(body('Bücher'), 'latin1'), notUtf8],
    ['in Latin-1, with and without the fast path', json, Buffer.from(body('Bücher'), 'latin1'), notUtf8],
    ['of a mutation in Latin-1', json, Buffer.from(JSON.stringify({ query: rename }), 'latin1'), notUtf8],
  ])('a body %s, also in a request to subscribe', async (_, type, bytes, answer) => {
    for (const path of ['/graphql', '/graphql/stream']) expect(await post(path, type, bytes)).toMatchObject(answer)
    const { data } = await app.query('{ user(id: "user_1") { name } }')
    expect(data.user.name).not.toMatch(/J.*rgen/)
  })

  test('a compressed body', async () => {
    const answer = await post('/graphql', json, gzipSync(body('Bücher')), { 'content-encoding': 'gzip' })
    expect(answer).toMatchObject(refused(415, 'The body must not be compressed'))
  })

  test.each([json, `${json}; charset=UTF-8`, `${json};charset="utf8"`])('but not a body of type %s', async (type) => {
    expect(await post('/graphql', type, Buffer.from(body('Bücher')))).toMatchObject({ status: 200, data: {} })
    expect(await post('/graphql', type, Buffer.from(`\ufeff${body('Bücher')}`))).toMatchObject({ status: 200, data: {} })
  })

  test.each(['%E4', '%', '%C3%28'])('parameters with %s', async (parameter) => {
    for (const path of ['/graphql', '/graphql/stream']) {
      const query = `query=${encodeURIComponent(document)}&variables={%22category%22:%22${parameter}%22}`
      const answer = await send(app.origin, {
        method: 'GET',
        path: `${path}?${query}`,
        headers: { 'apollo-require-preflight': '1' },
      })
      expect({ status: answer.status, ...answer.json }).toMatchObject(refused(400, 'Parameters must be percent-encoded UTF-8'))
    }
  })

  test('parameters that are not percent-encoded', async () => {
    const client = await connectRaw(app.origin)
    client.socket.write('GET /graphql?query={product(id:"ä"){id}} HTTP/1.1\r\nhost: a\r\napollo-require-preflight: 1\r\n\r\n')
    await client.closed
    expect(client.received()).toMatch(/^HTTP\/1.1 400 /)
  })

  test('a WebSocket message that is not UTF-8 text', async () => {
    const message = JSON.stringify({ type: 'subscribe', id: '1', payload: { query: rename } })
    for (const [bytes, isBinary, code] of [
      [Buffer.from(message), true, 4400],
      [Buffer.from(message, 'latin1'), true, 4400],
      [Buffer.from(message, 'latin1'), false, 1007],
    ] as const) {
      const { socket } = await openSocket(app)
      const closed = new Promise((resolve) => socket.once('close', resolve))
      socket.send(bytes, { binary: isBinary })
      expect(await closed).toBe(code)
    }
  })

  test('a lone surrogate escaped in JSON', async () => {
    const { errors } = await app.query(document, { category: '\ud800' })
    expect(errors).toMatchObject([{ message: 'category must be valid Unicode', extensions: { code: 'BAD_USER_INPUT' } }])
  })
})
