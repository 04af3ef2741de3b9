import { createClient as createSseClient, NetworkError } from 'graphql-sse'
import { CloseCode, createClient } from 'graphql-ws'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { startTestApp, type TestApp } from '../helpers/app.js'
import { openSocket, socketUrl } from '../helpers/live.js'
import { secret } from '../helpers/tokens.js'
import { until } from '../helpers/until.js'

const productChanged = 'subscription($ids: [ID!]!) { productChanged(ids: $ids) { id product { stock } } }'
const one = { query: productChanged, variables: { ids: ['product_1'] } }

let app: TestApp
beforeAll(async () => {
  app = await startTestApp({ env: { AUTH_JWT_SECRET: secret, LIVE_MAX_CONNECTIONS_PER_ADDRESS: '4' } })
})
afterAll(() => app.stop())

interface Sink {
  next(value: unknown): void
  error(error: unknown): void
  complete(): void
}

/** Records the events of a subscription; the last one is the error or 'complete'. */
function record(subscribe: (sink: Sink) => () => void) {
  const events: unknown[] = []
  const subscription = { events, isEnded: false, stop: () => {} }
  const end = (event: unknown) => {
    events.push(event)
    subscription.isEnded = true
  }
  subscription.stop = subscribe({ next: (value) => events.push(value), error: end, complete: () => end('complete') })
  return subscription
}

async function outcome(subscribe: (sink: Sink) => () => void) {
  const subscription = record(subscribe)
  await until(() => subscription.isEnded)
  return subscription.events
}

/** Changes a row until the first event arrives: a subscription starts some time after the client requested it. */
async function firstEvent({ events }: { events: unknown[] }) {
  await until(async () => {
    await app.database.sql`update products set stock = stock + 1 where id = 1`
    return events.length > 0
  })
  return events[0]
}

describe('the client of graphql-ws', () => {
  const connect = (options: object = {}) =>
    createClient({ url: socketUrl(app), webSocketImpl: WebSocket, retryAttempts: 0, ...options })

  test('receives changes, and completes when it stops', async () => {
    const client = connect()
    const subscription = record((sink) => client.subscribe(one, sink))
    expect(await firstEvent(subscription)).toEqual({
      data: { productChanged: { id: 'product_1', product: { stock: expect.any(Number) } } },
    })
    subscription.stop()
    await until(() => subscription.isEnded)
    expect(subscription.events.at(-1)).toBe('complete')
    await client.dispose()
  })

  test.each([
    ['does not parse', { query: 'subscription {' }, 'GRAPHQL_PARSE_FAILED'],
    ['does not fit the schema', { query: 'subscription { nothing }' }, 'GRAPHQL_VALIDATION_FAILED'],
    ['is no subscription', { query: '{ __typename }' }, 'SUBSCRIPTIONS_ONLY'],
    ['has the wrong variables', { ...one, variables: { ids: 5 } }, 'BAD_USER_INPUT'],
    ['exceeds a limit', { ...one, variables: { ids: Array(101).fill('product_1') } }, 'LIMIT_EXCEEDED'],
    ['is forbidden', { query: 'subscription { orderCreated(userId: "user_1") { id } }' }, 'UNAUTHENTICATED'],
  ])('gets the errors of a document that %s, and subscription connection remains usable', async (_, request, code) => {
    const client = connect({ lazy: false })
    const [errors] = await outcome((sink) => client.subscribe(request, sink))
    expect(errors).toMatchObject([{ extensions: { code } }])
    const subscription = record((sink) => client.subscribe(one, sink))
    await firstEvent(subscription)
    await client.dispose()
  })

  test('is closed with 4403 for a bad token', async () => {
    const client = connect({ connectionParams: { authorization: 'Bearer nonsense' } })
    expect(await outcome((sink) => client.subscribe(one, sink))).toMatchObject([{ code: CloseCode.Forbidden }])
  })

  test.each([
    ['subscribes before it was acknowledged', false, [{ type: 'subscribe', id: '1', payload: one }], CloseCode.Unauthorized],
    ['introduces itself twice', true, [{ type: 'connection_init' }], CloseCode.TooManyInitialisationRequests],
    ['sends no message of the protocol', true, [{ type: 'nonsense' }], CloseCode.BadRequest],
    ['sends what only a server may', true, [{ type: 'next', id: '1', payload: {} }], CloseCode.BadRequest],
    ['uses an id twice', true, Array(2).fill({ type: 'subscribe', id: '1', payload: one }), CloseCode.SubscriberAlreadyExists],
  ])('that %s is closed with the code of the protocol', async (_, sendInit, messages, code) => {
    const connection = await openSocket(app, { sendInit })
    for (const message of messages) connection.socket.send(JSON.stringify(message))
    await until(() => connection.closed !== undefined)
    expect(connection.closed?.code).toBe(code)
  })
})

describe('the client of graphql-sse', () => {
  const connect = (options: object = {}) => createSseClient({ url: `${app.origin}/graphql/stream`, retryAttempts: 0, ...options })

  test('receives changes, and completes when it stops', async () => {
    const client = connect()
    const subscription = record((sink) => client.subscribe(one, sink as never))
    expect(await firstEvent(subscription)).toEqual({
      data: { productChanged: { id: 'product_1', product: { stock: expect.any(Number) } } },
    })
    subscription.stop()
    await until(() => subscription.isEnded)
    expect(subscription.events.at(-1)).toBe('complete')
    client.dispose()
  })

  test.each([
    ['with a bad token', { headers: { authorization: 'Bearer nonsense' } }, 401],
    ['in single connection mode, which is not supported', { singleConnection: true }, 404],
  ])('%s is rejected with a status that it reports', async (_, options, status) => {
    const client = connect(options)
    const [error] = await outcome((sink) => client.subscribe(one, sink as never))
    expect(error).toBeInstanceOf(NetworkError)
    expect((error as NetworkError<Response>).response?.status).toBe(status)
    client.dispose()
  })

  test('that has too many connections is rejected with 429, and accepted when one is closed', async () => {
    const client = connect()
    const open = Array.from({ length: 4 }, () => record((sink) => client.subscribe(one, sink as never)))
    for (const subscription of open) await firstEvent(subscription)
    const [error] = await outcome((sink) => client.subscribe(one, sink as never))
    expect((error as NetworkError<Response>).response?.status).toBe(429)
    for (const subscription of open) subscription.stop()
    await until(async () => {
      const subscription = record((sink) => client.subscribe(one, sink as never))
      await until(async () => {
        await app.database.sql`update products set stock = stock + 1 where id = 1`
        return subscription.events.length > 0
      })
      subscription.stop()
      return !(subscription.events[0] instanceof NetworkError)
    })
    client.dispose()
  })
})
