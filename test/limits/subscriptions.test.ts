import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../helpers/app.js'

let app: TestApp
beforeAll(async () => {
  app = await startTestApp({ env: { NODE_ENV: 'production', AUTH_OPEN: 'true', MAX_COST: '20' } })
})
afterAll(() => app.stop())

/** As server-sent events */
async function subscribe(query: string, variables = {}) {
  const response = await fetch(`${app.origin}/graphql/stream`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'text/event-stream' },
    body: JSON.stringify({ query, variables }),
  })
  return { status: response.status, ...((await response.json()) as { errors: { message: string; extensions: object }[] }) }
}

describe('a subscription', () => {
  test.each([
    [
      'that is too deep',
      `subscription { orderCreated(userId: "user_1") { ${'user { orders { nodes { '.repeat(7)} id ${'} } }'.repeat(7)} } }`,
      {},
      'LIMIT_EXCEEDED',
    ],
    ['with too many tokens', `subscription { ${'a '.repeat(1_000)} }`, {}, 'LIMIT_EXCEEDED'],
    [
      'that costs too much',
      'subscription { orderCreated(userId: "user_1") { user { orders { nodes { id } } } } }',
      {},
      'COST_LIMIT_EXCEEDED',
    ],
    [
      'of introspection',
      'subscription S { orderCreated(userId: "user_1") { id } } query Q { __schema { queryType { name } } }',
      {},
      'INTROSPECTION_DISABLED',
    ],
  ])('%s is refused', async (_, query, variables, code) => {
    const { status, errors } = await subscribe(query, variables)
    expect(status).toBe(400)
    for (const { extensions } of errors) {
      expect(extensions).toMatchObject({ code, requestId: expect.any(String) })
      expect(extensions).not.toHaveProperty('http')
    }
  })

  test('is not answered with names that resemble a mistaken one', async () => {
    const { errors } = await subscribe('subscription { orderCreated(userId: "user_1") { totl } }')
    expect(errors[0]?.message).toBe('Cannot query field "totl" on type "Order".')
  })
})
