import { createClient as createSseClient } from 'graphql-sse'
import { createClient } from 'graphql-ws'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { createSchema } from '../../src/graphql/schema.js'
import { mintToken } from '../../src/platform/auth/mint-token.js'
import { startTestApp, type TestApp } from '../helpers/app.js'
import { openSocket, socketUrl } from '../helpers/live.js'
import { adminToken, customerToken, secret } from '../helpers/tokens.js'
import { until } from '../helpers/until.js'

const own = 'subscription { orderCreated(userId: "user_1") { id total user { name } } }'
const product = 'subscription { productChanged(ids: ["product_1"]) { id product { stock } } }'

/** Every subscription, with its outcome without a token, for the user concerned, for another user, and for an administrator */
const access = {
  orderCreated: { document: own, outcomes: ['UNAUTHENTICATED', 'open', 'FORBIDDEN', 'open'] },
  productChanged: { document: product, outcomes: ['open', 'open', 'open', 'open'] },
}

test('the access rules of every subscription are tested', () => {
  expect(Object.keys(access)).toEqual(Object.keys(createSchema().getSubscriptionType()?.getFields() ?? {}))
})

describe.each(['WebSocket', 'server-sent events'] as const)('subscriptions over %s', (transport) => {
  let app: TestApp
  beforeAll(async () => {
    app = await startTestApp({ env: { AUTH_JWT_SECRET: secret } })
  })
  afterAll(() => app.stop())

  /** Collects the events of a subscription and how it ended: with a code, in a way that makes clients reconnect, or not at all. */
  function subscribe(document: string, authorization: string | undefined) {
    const subscription = { results: [] as unknown[], outcome: 'open', hasEnded: false, stop: () => {} }
    const end = (outcome: string) => {
      subscription.outcome = outcome
      subscription.hasEnded = true
    }
    const sink = {
      next: (value: unknown) => subscription.results.push(value),
      error: (error: unknown) => end(describeEnd(error)),
      complete: () => end('completed'),
    }
    if (transport === 'WebSocket') {
      const client = createClient({
        ...{ url: socketUrl(app), webSocketImpl: WebSocket, retryAttempts: 0 },
        ...(authorization !== undefined && { connectionParams: { authorization } }),
      })
      client.subscribe({ query: document }, sink as never)
      subscription.stop = () => void client.dispose()
    } else {
      const headers: Record<string, string> = authorization === undefined ? {} : { authorization }
      const client = createSseClient({ url: `${app.origin}/graphql/stream`, retryAttempts: 0, headers })
      client.subscribe({ query: document }, sink as never)
      subscription.stop = () => client.dispose()
    }
    return subscription
  }

  /** Changes the subscribed rows until an event arrives or the subscription ends. */
  async function settle(subscription: ReturnType<typeof subscribe>): Promise<string> {
    let next = Promise.resolve()
    await until(async () => {
      next = next.then(async () => {
        await app.database.sql`insert into orders (user_id, total_cents) values (1, 0)`
        await app.database.sql`update products set stock = stock + 1 where id = 1`
      })
      await next
      return subscription.results.length > 0 || subscription.hasEnded
    })
    return subscription.outcome
  }

  test.each(Object.entries(access))('%s enforces its access rules', async (_, { document, outcomes }) => {
    const tokens = [null, await customerToken('user_1'), await customerToken('user_2'), await adminToken()]
    const found: string[] = []
    for (const token of tokens) {
      const subscription = subscribe(document, token === null ? undefined : `Bearer ${token}`)
      found.push(await settle(subscription))
      subscription.stop()
    }
    expect(found).toEqual(outcomes)
  })

  test('are refused with an invalid token', async () => {
    const subscription = subscribe(product, 'Bearer nonsense')
    expect(await settle(subscription)).toBe(transport === 'WebSocket' ? 'closed with 4403' : 'UNAUTHENTICATED')
  })

  test('end when their token expires, in a way that makes clients reconnect', async () => {
    const options = {
      secret,
      issuer: undefined,
      audience: undefined,
      role: 'customer' as const,
      userId: 'user_1',
      expiresIn: '4s',
    }
    const subscription = subscribe(own, `Bearer ${await mintToken(options)}`)
    expect(await settle(subscription)).toBe('open')
    await until(() => subscription.hasEnded)
    expect(subscription.outcome).toBe(transport === 'WebSocket' ? 'closed with 1013' : 'ended without complete')
  })
})

describe('an invalid token is never treated as a missing one', () => {
  let app: TestApp
  beforeAll(async () => {
    app = await startTestApp({ env: { AUTH_JWT_SECRET: secret } })
  })
  afterAll(() => app.stop())

  async function closeCode(headers: Record<string, string>, payload?: unknown): Promise<number | undefined> {
    const socket = await openSocket(app, { headers, sendInit: false })
    socket.send({ type: 'connection_init', payload })
    await until(() => socket.closed !== undefined || socket.messages.length > 0)
    socket.socket.terminate()
    return socket.closed?.code
  }

  test.each([5, ['Bearer x'], {}, true, '', 'Bearer x'])('%j as connection parameter', async (authorization) => {
    expect(await closeCode({}, { authorization })).toBe(4403)
  })

  test('in the header of the upgrade, unless the connection parameters have one', async () => {
    const authorization = `Bearer ${await adminToken()}`
    expect(await closeCode({ authorization: 'Bearer x' })).toBe(4403)
    expect(await closeCode({ authorization: 'Bearer x' }, { authorization: null })).toBe(4403)
    expect(await closeCode({ authorization })).toBeUndefined()
    expect(await closeCode({}, { authorization })).toBeUndefined()
    expect(await closeCode({}, { authorization: null })).toBeUndefined()
  })
})

function describeEnd(error: unknown): string {
  const [first] = Array.isArray(error) ? error : [error]
  const { code, extensions, response, message } = first as {
    code?: number
    extensions?: { code?: string }
    response?: Response
    message?: string
  }
  if (extensions?.code !== undefined) return extensions.code
  if (response)
    return response.status === 401 ? 'UNAUTHENTICATED' : response.status === 403 ? 'FORBIDDEN' : String(response.status)
  if (typeof code === 'number') return `closed with ${code}`
  return message?.includes('closed') || message?.includes('Connection') ? 'ended without complete' : String(message)
}
