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

/** What a client's sink was told, the end last */
function told(subscribe: (sink: Sink) => () => void) {
  const events: unknown[] = []
  const its = { events, isOver: false, stop: () => {} }
  const end = (event: unknown) => {
    events.push(event)
    its.isOver = true
  }
  its.stop = subscribe({ next: (value) => events.push(value), error: end, complete: () => end('complete') })
  return its
}

async function outcome(subscribe: (sink: Sink) => () => void) {
  const its = told(subscribe)
  await until(() => its.isOver)
  return its.events
}

/** Until a change is told: a subscription begins some time after the client asked for it. */
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

  test('is told of changes, and completes when it stops', async () => {
    const client = connect()
    const its = told((sink) => client.subscribe(one, sink))
    expect(await firstEvent(its)).toEqual({
      data: { productChanged: { id: 'product_1', product: { stock: expect.any(Number) } } },
    })
    its.stop()
    await until(() => its.isOver)
    expect(its.events.at(-1)).toBe('complete')
    await client.dispose()
  })

  test.each([
    ['does not parse', { query: 'subscription {' }, 'GRAPHQL_PARSE_FAILED'],
    ['does not fit the schema', { query: 'subscription { nothing }' }, 'GRAPHQL_VALIDATION_FAILED'],
    ['is no subscription', { query: '{ __typename }' }, 'SUBSCRIPTIONS_ONLY'],
    ['has the wrong variables', { ...one, variables: { ids: 5 } }, 'BAD_USER_INPUT'],
    ['asks for too much', { ...one, variables: { ids: Array(101).fill('product_1') } }, 'LIMIT_EXCEEDED'],
    ['is for others', { query: 'subscription { orderCreated(userId: "user_1") { id } }' }, 'UNAUTHENTICATED'],
  ])('gets the errors of a document that %s, and goes on with its connection', async (_, request, code) => {
    const client = connect({ lazy: false })
    const [errors] = await outcome((sink) => client.subscribe(request, sink))
    expect(errors).toMatchObject([{ extensions: { code } }])
    const its = told((sink) => client.subscribe(one, sink))
    await firstEvent(its)
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
  ])('that %s is closed with the code of the protocol', async (_, introduce, messages, code) => {
    const its = await openSocket(app, { introduce })
    for (const message of messages) its.socket.send(JSON.stringify(message))
    await until(() => its.closed !== undefined)
    expect(its.closed?.code).toBe(code)
  })
})

describe('the client of graphql-sse', () => {
  const connect = (options: object = {}) => createSseClient({ url: `${app.origin}/graphql/stream`, retryAttempts: 0, ...options })

  test('is told of changes, and completes when it stops', async () => {
    const client = connect()
    const its = told((sink) => client.subscribe(one, sink as never))
    expect(await firstEvent(its)).toEqual({
      data: { productChanged: { id: 'product_1', product: { stock: expect.any(Number) } } },
    })
    its.stop()
    await until(() => its.isOver)
    expect(its.events.at(-1)).toBe('complete')
    client.dispose()
  })

  test.each([
    ['with a bad token', { headers: { authorization: 'Bearer nonsense' } }, 401],
    ['in single connection mode, which there is not', { singleConnection: true }, 404],
  ])('%s is refused with a status that it reports', async (_, options, status) => {
    const client = connect(options)
    const [error] = await outcome((sink) => client.subscribe(one, sink as never))
    expect(error).toBeInstanceOf(NetworkError)
    expect((error as NetworkError<Response>).response?.status).toBe(status)
    client.dispose()
  })

  test('that has too many connections is refused with 429, and let in when one is free', async () => {
    const client = connect()
    const open = Array.from({ length: 4 }, () => told((sink) => client.subscribe(one, sink as never)))
    for (const its of open) await firstEvent(its)
    const [error] = await outcome((sink) => client.subscribe(one, sink as never))
    expect((error as NetworkError<Response>).response?.status).toBe(429)
    for (const its of open) its.stop()
    await until(async () => {
      const its = told((sink) => client.subscribe(one, sink as never))
      await until(async () => {
        await app.database.sql`update products set stock = stock + 1 where id = 1`
        return its.events.length > 0
      })
      its.stop()
      return !(its.events[0] instanceof NetworkError)
    })
    client.dispose()
  })
})
