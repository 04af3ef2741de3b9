import { createClient as createSseClient } from 'graphql-sse'
import { type Client, createClient } from 'graphql-ws'
import { WebSocket } from 'ws'
import type { TestApp } from './app.js'
import { until } from './until.js'

// biome-ignore lint/suspicious/noExplicitAny: the shape follows from the document
type Result = { data?: any; errors?: readonly any[] }

/** One subscription, and what it has been told up to now */
export interface TestSubscription {
  results: Result[]
  end: { state: 'open' } | { state: 'completed' } | { state: 'failed'; error: unknown }
  /** Waits for so many results. */
  take(count: number): Promise<Result[]>
  stop(): void
}

export interface TestSubscriber {
  subscribe(query: string, variables?: Record<string, unknown>): TestSubscription
  close(): void
}

type Source = {
  subscribe(
    request: { query: string; variables?: Record<string, unknown> },
    sink: { next(value: unknown): void; error(error: unknown): void; complete(): void },
  ): () => void
}

export const transports = ['WebSocket', 'server-sent events'] as const

/** A client of one of the two libraries that users have */
export function subscriber(app: Pick<TestApp, 'origin'>, transport: (typeof transports)[number]): TestSubscriber {
  const client =
    transport === 'WebSocket' ? socketClient(app) : createSseClient({ url: `${app.origin}/graphql/stream`, retryAttempts: 0 })
  return {
    subscribe(query, variables) {
      const its: TestSubscription = {
        results: [],
        end: { state: 'open' },
        async take(count) {
          await until(() => its.results.length >= count || its.end.state !== 'open')
          return its.results
        },
        stop: () => stop(),
      }
      const stop = (client as Source).subscribe(
        { query, ...(variables && { variables }) },
        {
          next: (value) => its.results.push(value as Result),
          error: (error) => {
            its.end = { state: 'failed', error }
          },
          complete: () => {
            its.end = { state: 'completed' }
          },
        },
      )
      return its
    },
    close: () => void client.dispose(),
  }
}

function socketClient(app: Pick<TestApp, 'origin'>): Client {
  return createClient({ url: socketUrl(app), webSocketImpl: WebSocket, retryAttempts: 0 })
}

export function socketUrl(app: Pick<TestApp, 'origin'>): string {
  return `${app.origin.replace('http', 'ws')}/graphql`
}

/** A plain socket, which has introduced itself where that is wanted; what it has got, and the code with which it was closed. */
export async function openSocket(app: TestApp, options: { headers?: Record<string, string>; introduce?: boolean } = {}) {
  const socket = new WebSocket(socketUrl(app), 'graphql-transport-ws', { headers: options.headers })
  const its = {
    socket,
    // biome-ignore lint/suspicious/noExplicitAny: the shape follows from the protocol
    messages: [] as any[],
    closed: undefined as { code: number; reason: string } | undefined,
    send: (message: unknown) => socket.send(JSON.stringify(message)),
  }
  socket.on('message', (data) => its.messages.push(JSON.parse(String(data))))
  socket.on('close', (code, reason) => {
    its.closed = { code, reason: String(reason) }
  })
  socket.on('error', () => undefined)
  await until(() => socket.readyState === WebSocket.OPEN || its.closed !== undefined)
  if (options.introduce !== false && !its.closed) {
    its.send({ type: 'connection_init' })
    await until(() => its.messages.length === 1)
  }
  return its
}

export const productChanged = 'subscription ($ids: [ID!]!) { productChanged(ids: $ids) { id product { name stock } } }'
export const orderCreated =
  'subscription ($userId: ID!) { orderCreated(userId: $userId) { id total user { name } products { stock } } }'

/** A client is not told when the server has begun to listen for it: changes a product until that is told of. */
export async function begun(
  { database }: Pick<TestApp, 'database'>,
  subscription: TestSubscription,
  product: number,
): Promise<void> {
  await toldOf(subscription, (attempt) => database.sql`update products set stock = ${500_000 + attempt} where id = ${product}`)
}

export async function begunOrders({ database }: TestApp, subscription: TestSubscription, user: number): Promise<void> {
  await toldOf(subscription, () => database.sql`insert into orders (user_id, total_cents) values (${user}, 0)`)
}

/** One change at a time, so that nothing is on its way when it has been told of. */
async function toldOf(subscription: TestSubscription, change: (attempt: number) => PromiseLike<unknown>): Promise<void> {
  let left = 0
  let attempt = 0
  await until(async () => {
    if (subscription.results.length > 0) return true
    if (subscription.end.state !== 'open') throw new Error(`It ended: ${JSON.stringify(subscription.end)}`)
    if (left === 0) {
      attempt += 1
      await change(attempt)
      left = 40
    }
    left -= 1
    return false
  })
  subscription.results.length = 0
}
