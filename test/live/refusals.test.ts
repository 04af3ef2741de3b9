import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../helpers/app.js'
import { openSocket, orderCreated, productChanged, subscriber } from '../helpers/live.js'
import { secret } from '../helpers/tokens.js'
import { until } from '../helpers/until.js'

const mine = { userId: 'user_1' }

async function stream(app: TestApp, query: string, variables: object) {
  const response = await fetch(`${app.origin}/graphql/stream`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables }),
  })
  const { status, headers } = response
  if (status !== 200) return { status, challenge: headers.get('www-authenticate'), body: await response.json() }
  await response.body?.cancel()
  return { status }
}

/** The errors that a socket receives. */
async function refusal(app: TestApp, query: string, variables: object) {
  const socket = await openSocket(app)
  socket.send({ id: '1', type: 'subscribe', payload: { query, variables } })
  await until(() => socket.messages.length > 1)
  socket.socket.terminate()
  return socket.messages[1].payload
}

test('with TRUSTED_DOCUMENTS_ONLY, other subscriptions are refused', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'shop-live-'))
  const file = join(folder, 'documents.json')
  await writeFile(file, JSON.stringify({ 'sha256:one': productChanged }))
  const app = await startTestApp({ env: { TRUSTED_DOCUMENTS: file, TRUSTED_DOCUMENTS_ONLY: 'true' } })
  expect(await stream(app, productChanged, { ids: ['product_1'] })).toEqual({ status: 200 })
  const errors = [{ message: expect.any(String), extensions: { code: 'QUERY_NOT_IN_SAFELIST', requestId: expect.any(String) } }]
  expect(await stream(app, orderCreated, mine)).toMatchObject({ status: 400, body: { errors } })
  expect(await refusal(app, orderCreated, mine)).toEqual(errors)
  await app.stop()
  await rm(folder, { recursive: true, force: true })
})

test('a subscription without the required token gets 401 with a challenge, and no internal details', async () => {
  const app = await startTestApp({ env: { AUTH_JWT_SECRET: secret } })
  const extensions = { code: 'UNAUTHENTICATED', requestId: expect.any(String) }
  const { status, challenge, body } = await stream(app, orderCreated, mine)
  expect([status, challenge]).toEqual([401, 'Bearer realm="graphql"'])
  expect(body).toEqual({ errors: [expect.objectContaining({ extensions })] })
  expect(await refusal(app, orderCreated, mine)).toEqual([expect.objectContaining({ extensions })])
  await app.stop()
})

test('a client of server-sent events receives the validation errors of its subscription', async () => {
  const app = await startTestApp()
  const client = subscriber(app, 'server-sent events')
  const refused = client.subscribe('subscription { productChanged(ids: ["product_1"]) { nothing } }')
  await until(() => refused.end.state !== 'open')
  expect(refused.end).toEqual({ state: 'completed' })
  expect(refused.results).toMatchObject([
    { errors: [{ message: expect.stringContaining('nothing'), extensions: { code: 'GRAPHQL_VALIDATION_FAILED' } }] },
  ])
  client.close()
  await app.stop()
})
