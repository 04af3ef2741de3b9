import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../helpers/app.js'
import { lock, waitingStatements } from '../helpers/locks.js'
import { readMetrics, sumOf } from '../helpers/prometheus.js'
import { connectRaw, postText } from '../helpers/raw-client.js'
import { until } from '../helpers/until.js'

let app: TestApp
beforeAll(async () => {
  app = await startTestApp({ env: { MAX_IN_FLIGHT: '4', CACHE_NEAR_MB: '8' } })
})
afterAll(() => app.stop())

const query = encodeURIComponent('subscription { productChanged(ids: ["product_1"]) { id } }')
const stream = `GET /graphql/stream?query=${query} HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: text/event-stream\r\n\r\n`

async function subscriptions() {
  const samples = await readMetrics(app.origin)
  return {
    connections: sumOf(samples, 'graphql_subscription_connections'),
    open: sumOf(samples, 'graphql_subscriptions_open'),
  }
}

describe('an event stream', () => {
  test('is cleaned up when its connection is closed', async () => {
    const client = await connectRaw(app.origin)
    client.socket.write(postText('{ product(id: "product_20") { id } }') + stream)
    await until(async () => (await subscriptions()).open === 1)
    expect((await subscriptions()).connections).toBe(1)
    client.socket.destroy()
    await until(async () => (await subscriptions()).connections === 0)
    expect(await subscriptions()).toEqual({ connections: 0, open: 0 })
  })

  test.each([
    ['another stream', stream],
    ['a query', postText('{ product(id: "product_21") { id } }')],
    ['a request with Expect', 'GET /livez HTTP/1.1\r\nhost: 127.0.0.1\r\nexpect: something\r\n\r\n'],
  ])('owns its connection: %s sent behind it closes it', async (_, behind) => {
    const both = await connectRaw(app.origin)
    both.socket.write(stream + behind)
    await both.closed
    const later = await connectRaw(app.origin)
    later.socket.write(stream)
    await until(() => later.received().includes(': open'))
    later.socket.write(behind)
    await later.closed
    await until(async () => (await subscriptions()).connections === 0)
    expect(await subscriptions()).toEqual({ connections: 0, open: 0 })
  })

  test('does not count as a request in flight', async () => {
    const clients = await Promise.all(Array.from({ length: 6 }, () => connectRaw(app.origin)))
    for (const { socket, received } of clients) {
      socket.write(stream)
      await until(() => received().includes(': open'))
    }
    expect(await app.query('{ product(id: "product_22") { id } }')).toMatchObject({ data: { product: { id: 'product_22' } } })
    for (const { socket } of clients) socket.destroy()
  })
})

describe('requests on one connection', () => {
  test('are executed one at a time, and answered in order', async () => {
    const release = await lock(app.database, 'lock table products in access exclusive mode')
    const client = await connectRaw(app.origin)
    for (const id of [23, 24, 25, 26, 27]) client.socket.write(postText(`{ product(id: "product_${id}") { id } }`))
    await until(async () => (await waitingStatements(app.database)).length === 1)
    // The remaining capacity is free for other connections.
    expect(await app.query('{ __typename }')).toMatchObject({ data: { __typename: 'Query' } })
    expect(await waitingStatements(app.database)).toHaveLength(1)
    await release()
    await until(() => client.received().includes('product_27'))
    expect(client.received().match(/product_\d+/g)).toEqual([23, 24, 25, 26, 27].map((id) => `product_${id}`))
    client.socket.destroy()
  })

  test('close it if more than 8 wait', async () => {
    const release = await lock(app.database, 'lock table products in access exclusive mode')
    const client = await connectRaw(app.origin)
    const first = postText('{ product(id: "product_28") { id } }')
    client.socket.write(first + postText('{ __typename }').repeat(8))
    await until(async () => (await waitingStatements(app.database)).length === 1)
    expect(client.socket.destroyed).toBe(false)
    client.socket.write(postText('{ __typename }'))
    await client.closed
    await release()
    expect(client.received()).toBe('')
  })
})
