import { createClient as createSseClient } from 'graphql-sse'
import { type Client, createClient } from 'graphql-ws'
import { WebSocket } from 'ws'
import type { TestApp } from './app.js'
import { until } from './until.js'

// biome-ignore lint/suspicious/noExplicitAny: the shape follows from the document
type Result = { data?: any; errors?: readonly any[] }

/** One subscription with the results received so far */
export interface TestSubscription {
  results: Result[]
  end: { state: 'open' } | { state: 'completed' } | { state: 'failed'; error: unknown }
  /** Waits until there are `count` results, or the end of the subscription. */
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

/** Creates a client of graphql-ws or graphql-sse. */
export function subscriber(app: Pick<TestApp, 'origin'>, transport: (typeof transports)[number]): TestSubscriber {
  const client =
    transport === 'WebSocket' ? socketClient(app) : createSseClient({ url: `${app.origin}/graphql/stream`, retryAttempts: 0 })
  return {
    subscribe(query, variables) {
      const subscription: TestSubscription = {
        results: [],
        end: { state: 'open' },
        async take(count) {
          await until(() => subscription.results.length >= count || subscription.end.state !== 'open')
          return subscription.results
        },
        stop: () => stop(),
      }
      const stop = (client as Source).subscribe(
        { query, ...(variables && { variables }) },
        {
          next: (value) => subscription.results.push(value as Result),
          error: (error) => {
            subscription.end = { state: 'failed', error }
          },
          complete: () => {
            subscription.end = { state: 'completed' }
          },
        },
      )
      return subscription
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

/** Opens a raw WebSocket and sends connection_init unless `sendInit` is false. Collects its messages and the close code. */
export async function openSocket(app: TestApp, options: { headers?: Record<string, string>; sendInit?: boolean } = {}) {
  const socket = new WebSocket(socketUrl(app), 'graphql-transport-ws', { headers: options.headers })
  const connection = {
    socket,
    // biome-ignore lint/suspicious/noExplicitAny: the shape follows from the protocol
    messages: [] as any[],
    closed: undefined as { code: number; reason: string } | undefined,
    send: (message: unknown) => socket.send(JSON.stringify(message)),
  }
  socket.on('message', (data) => connection.messages.push(JSON.parse(String(data))))
  socket.on('close', (code, reason) => {
    connection.closed = { code, reason: String(reason) }
  })
  socket.on('error', () => undefined)
  await until(() => socket.readyState === WebSocket.OPEN || connection.closed !== undefined)
  if (options.sendInit !== false && !connection.closed) {
    connection.send({ type: 'connection_init' })
    await until(() => connection.messages.length === 1)
  }
  return connection
}

export const productChanged = 'subscription ($ids: [ID!]!) { productChanged(ids: $ids) { id product { name stock } } }'
export const orderCreated =
  'subscription ($userId: ID!) { orderCreated(userId: $userId) { id total user { name } products { stock } } }'

/** Waits until a subscription is active. The protocol does not confirm it, so this changes a product until an event arrives. */
export async function waitUntilSubscribed(
  { database }: Pick<TestApp, 'database'>,
  subscription: TestSubscription,
  product: number,
): Promise<void> {
  await changeUntilDelivered(
    subscription,
    (attempt) => database.sql`update products set stock = ${500_000 + attempt} where id = ${product}`,
  )
}

export async function waitUntilSubscribedToOrders(
  { database }: TestApp,
  subscription: TestSubscription,
  user: number,
): Promise<void> {
  await changeUntilDelivered(subscription, () => database.sql`insert into orders (user_id, total_cents) values (${user}, 0)`)
}

/** Makes one change at a time until an event arrives, so that no further event is pending afterwards. */
async function changeUntilDelivered(
  subscription: TestSubscription,
  change: (attempt: number) => PromiseLike<unknown>,
): Promise<void> {
  let attempt = 0
  let changedAt = Number.NEGATIVE_INFINITY
  await until(async () => {
    if (subscription.results.length > 0) return true
    if (subscription.end.state !== 'open') throw new Error(`The subscription ended: ${JSON.stringify(subscription.end)}`)
    if (performance.now() - changedAt > retryMs) {
      attempt += 1
      await change(attempt)
      changedAt = performance.now()
    }
    return false
  })
  subscription.results.length = 0
}

/** How long an event may take before the change is made again */
const retryMs = 200
