import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../helpers/app.js'
import { connectRaw, headOf, postText, type RawClient } from '../helpers/raw-client.js'
import { until } from '../helpers/until.js'

let app: TestApp
const clients: RawClient[] = []
const connect = async () => {
  const client = await connectRaw(app.origin)
  clients.push(client)
  return client
}
/** A document that the fast path answers: it is compiled, and the headers are remembered */
const hot = '{ hot: product(id: "product_1") { id name } }'

beforeAll(async () => {
  app = await startTestApp({
    env: { CACHE_NEAR_MB: '8', RECEIVE_TIMEOUT_MS: '1500', SEND_TIMEOUT_MS: '400', MAX_CONNECTIONS: '40' },
  })
  const client = await connect()
  for (let count = 1; count <= 3; count += 1) {
    client.socket.write(postText(hot))
    await until(() => client.received().split('"data"').length === count + 1)
  }
})
afterAll(async () => {
  for (const { socket } of clients) socket.destroy()
  await app.stop()
})

async function isServed() {
  expect((await app.query('{ product(id: "product_1") { id } }')).data.product.id).toBe('product_1')
}

describe('a slow client', () => {
  test.concurrent.each([
    ['sends nothing', ''],
    ['sends half of its headers', 'POST /graphql HTTP/1.1\r\nhost: 127.0.0.1\r\n'],
    ['sends half of a body for the fast path', postText(hot).slice(0, -10)],
    ['sends half of any other body', postText(hot, { 'x-cache-report': 1 }).slice(0, -10)],
    ['sends half of a body in chunks', `${headOf({ 'transfer-encoding': 'chunked' })}5\r\n{"que\r\n`],
  ])('that %s is refused with 408, and its connection is closed', async (_, text) => {
    const client = await connect()
    client.socket.write(text)
    await client.closed
    expect(client.received()).toMatch(/^HTTP\/1\.1 408 [\s\S]*"code":"BAD_REQUEST"/)
    await isServed()
  })

  test.concurrent('that sends its body byte by byte is disconnected at the timeout', async () => {
    const client = await connect()
    const text = postText(hot)
    client.socket.write(text.slice(0, -100))
    const bytes = [...text.slice(-100)]
    const timer = setInterval(() => client.socket.writable && client.socket.write(bytes.shift() ?? ' '), 50)
    await client.closed
    clearInterval(timer)
    expect(client.received()).toContain('408')
  })

  test('that disconnects in the middle of its body leaks no connection', async () => {
    const disconnecting = await Promise.all(Array.from({ length: 20 }, connect))
    const ports = disconnecting.map(({ socket }) => socket.localPort as number)
    for (const { socket } of disconnecting) socket.write(postText(hot).slice(0, -10))
    await until(async () => (await connectionsFrom(ports)) === 20)
    for (const { socket } of disconnecting) socket.resetAndDestroy()
    await until(async () => (await connectionsFrom(ports)) === 0)
    await isServed()
  })

  test('that does not read its responses is disconnected, and its other requests are not answered', async () => {
    const client = await connect()
    const ports = [client.socket.localPort as number]
    client.socket.pause()
    const fields = Array.from({ length: 30 }, (_, index) => `${'a'.repeat(250)}${index}: name`).join(' ')
    // More than fits into the socket buffers of the kernel
    for (let count = 0; count < 9; count += 1) client.socket.write(postText(`{ products(first: 100) { nodes { ${fields} } } }`))
    await until(async () => (await connectionsFrom(ports)) === 0)
    client.socket.resume()
    await client.closed
    expect(client.received()).toMatch(/^HTTP\/1\.1 200 /)
    expect(client.received().split('HTTP/1.1 200 ').length).toBeLessThan(10)
    await isServed()
  })
})

describe('a body that is too large', () => {
  test.each([
    ['by its content-length', `${headOf({ 'content-length': 1_000_000_000 })}{"query":`],
    ['in chunks', `${headOf({ 'transfer-encoding': 'chunked' })}${`10000\r\n${' '.repeat(0x10000)}\r\n`.repeat(17)}`],
  ])('%s is refused before it has arrived, and the connection is closed', async (_, text) => {
    const client = await connect()
    client.socket.write(text)
    await client.closed
    expect(client.received()).toMatch(/^HTTP\/1\.1 413 [\s\S]*"code":"BAD_REQUEST"/)
  })
})

test.each([
  ['a length that is not a number', headOf({ 'content-length': 'many' })],
  ['two lengths', `${headOf({ 'content-length': 5 }).slice(0, -2)}content-length: 6\r\n\r\n{"a"}`],
  ['a length and chunks', `${headOf({ 'content-length': 5, 'transfer-encoding': 'chunked' })}0\r\n\r\n`],
])('%s is refused', async (_, text) => {
  const client = await connect()
  client.socket.write(text)
  await client.closed
  expect(client.received()).toMatch(/^HTTP\/1\.1 400 /)
})

/** The number of connections between the server and these ports, according to the kernel */
async function connectionsFrom(ports: readonly number[]): Promise<number> {
  const hex = (port: number | string) => Number(port).toString(16).toUpperCase().padStart(4, '0')
  const remote = new Set(ports.map(hex))
  const server = hex(new URL(app.origin).port)
  const lines = (await readFile('/proc/net/tcp', 'utf8')).split('\n')
  return lines.filter((line) => {
    const [, local, peer = ''] = /^ *\d+: \w+:(\w+) \w+:(\w+) 01 /.exec(line) ?? []
    return local === server && remote.has(peer)
  }).length
}
