import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../helpers/app.js'
import { openSocket } from '../helpers/live.js'
import { lock, waitingStatements } from '../helpers/locks.js'
import { connectRaw, postText, type RawClient } from '../helpers/raw-client.js'
import { until } from '../helpers/until.js'

const maximum = 10
let app: TestApp
let clients: RawClient[] = []
const connect = async () => {
  const client = await connectRaw(app.origin)
  clients.push(client)
  return client
}
const get = (path: string) => `GET ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n`
const isClosed = ({ socket }: RawClient) => socket.destroyed

async function answerTo(text: string): Promise<string> {
  const client = await connect()
  client.socket.write(text)
  await until(() => client.received().includes('\r\n\r\n') || isClosed(client))
  return client.received()
}

beforeAll(async () => {
  app = await startTestApp({ env: { MAX_CONNECTIONS: String(maximum) } })
})
afterAll(() => app.stop())

async function closeAll() {
  for (const { socket } of clients) socket.destroy()
  await Promise.all(clients.map(({ closed }) => closed))
  clients = []
}

describe('at the limit of open connections', () => {
  test('a new connection replaces the oldest one that waits for its client, and none that waits for the server', async () => {
    const release = await lock(app.database, 'lock table products in access exclusive mode')
    const busy = await connect()
    busy.socket.write(postText('{ product(id: "product_30") { id } }'))
    await until(async () => (await waitingStatements(app.database)).length === 1)
    const subscriber = await openSocket(app)
    const idle: RawClient[] = []
    for (let count = 2; count < maximum; count += 1) {
      const client = await connect()
      // A connection with half of a request counts as waiting for its client.
      client.socket.write(count % 2 === 0 ? get('/livez') : 'GET /livez HTTP/1.1\r\n')
      if (count % 2 === 0) await until(() => client.received().includes('alive'))
      idle.push(client)
    }
    for (let count = 0; count < idle.length; count += 1) {
      expect(await answerTo(postText('{ __typename }'))).toMatch(/^HTTP\/1\.1 200 /)
      await until(() => idle.filter(isClosed).length === count + 1)
      expect(idle.findLastIndex(isClosed)).toBe(count)
    }
    expect([isClosed(busy), subscriber.closed]).toEqual([false, undefined])
    await release()
    await until(() => busy.received().includes('"product_30"'))
    subscriber.socket.terminate()
    await closeAll()
  })

  test('a connection of the network with the most connections is closed, even if those of other networks are older', async () => {
    const honest = await connectRaw(app.origin, '127.0.0.3')
    clients.push(honest)
    for (let count = 0; count < 3 * maximum; count += 1) await connect()
    expect(isClosed(honest)).toBe(false)
    honest.socket.write(get('/livez'))
    await until(() => honest.received().includes('alive'))
    await closeAll()
  })

  test('if none can be closed, probes are still answered, and all other requests are refused', async () => {
    const subscribers = await Promise.all(Array.from({ length: maximum }, () => openSocket(app)))
    expect(await answerTo(postText('{ __typename }'))).toMatch(
      /^HTTP\/1\.1 503 [\s\S]*connection: close[\s\S]*"code":"OVERLOADED"/,
    )
    for (let count = 0; count < 100; count += 1) await connect()
    for (const path of ['/livez', '/readyz', '/health'])
      expect(await answerTo(get(path))).toMatch(/^HTTP\/1\.1 200 [\s\S]*connection: close/i)
    for (const { socket } of subscribers) socket.terminate()
    await closeAll()
    await until(async () => (await answerTo(postText('{ __typename }'))).startsWith('HTTP/1.1 200 '))
    await closeAll()
  })
})
