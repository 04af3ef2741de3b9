import { readFile } from 'node:fs/promises'
import { afterEach, describe, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../helpers/app.js'
import { type Built, query, ready, runBuilt } from '../helpers/built.js'
import { createDatabase, type TestDatabase } from '../helpers/database.js'
import { lock, waitingStatements } from '../helpers/locks.js'
import { connectRaw, postText } from '../helpers/raw-client.js'
import { noRedis, startRedis, type TestRedis } from '../helpers/redis.js'
import { until } from '../helpers/until.js'

const product = (id: number) => `{ product(id: "product_${id}") { id } }`

async function ask(app: TestApp, document: string, headers: Record<string, string> = {}) {
  const response = await fetch(`${app.origin}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ query: document }),
  })
  return {
    status: response.status,
    headers: response.headers,
    ...((await response.json()) as { data?: unknown; errors?: unknown[] }),
  }
}

describe.skipIf(noRedis)('with as many requests waiting as may', () => {
  let app: TestApp
  let redis: TestRedis
  let release: () => Promise<void>
  afterEach(async () => {
    await release()
    await app.stop()
    await redis.stop()
  })

  test('others are refused at once, but for what is at hand; afterwards all are answered', async () => {
    redis = await startRedis()
    app = await startTestApp({
      redisUrl: redis.url,
      env: { CACHE_NEAR_MB: '8', MAX_IN_FLIGHT: '2', DATABASE_TIMEOUT_MS: '60000' },
    })
    const hot = 'query Hot($id: ID!) { product(id: $id) { id } }'
    const askHot = (id: string) =>
      fetch(`${app.origin}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ query: hot, variables: { id } }),
      })
    for (let count = 0; count < 4; count += 1) await (await askHot('product_1')).text()
    release = await lock(app.database, 'lock table products in access exclusive mode')
    const waiting = [ask(app, product(10)), ask(app, product(11))]
    await until(async () => (await waitingStatements(app.database)).length === 2)

    const refused = await ask(app, product(12), { origin: 'https://studio.apollographql.com', 'x-request-id': 'mine' })
    expect(refused).toMatchObject({
      status: 503,
      errors: [
        {
          message: 'There is more to do than this server can do, try again in a moment',
          extensions: { code: 'OVERLOADED', requestId: 'mine' },
        },
      ],
    })
    expect(Object.fromEntries(refused.headers)).toMatchObject({
      'retry-after': '1',
      'content-type': 'application/json; charset=utf-8',
      'access-control-allow-origin': 'https://studio.apollographql.com',
    })
    expect(await (await askHot('product_1')).json()).toEqual({ data: { product: { id: 'product_1' } } })
    expect((await askHot('product_13')).status).toBe(503)
    expect((await fetch(`${app.origin}/health`)).status).toBe(200)
    expect((await fetch(app.origin)).status).toBe(200)

    await release()
    expect((await Promise.all(waiting)).map(({ status }) => status)).toEqual([200, 200])
    expect((await ask(app, product(12))).data).toEqual({ product: { id: 'product_12' } })
    expect(await (await askHot('product_13')).json()).toEqual({ data: { product: { id: 'product_13' } } })
  })
})

describe('with more requests than can be answered', () => {
  let built: Built | undefined
  let database: TestDatabase
  afterEach(async () => {
    built?.child.kill('SIGTERM')
    await built?.exited
    await database.drop()
  })

  /** All at once, each on a connection of its own, from clients that give nothing up */
  async function offer(origin: string, requests: number) {
    const documents = Array.from({ length: requests }, (_, index) => expensive(index))
    const clients = await Promise.all(documents.map(() => connectRaw(origin)))
    const startedAt = performance.now()
    const answers = clients.map(async ({ socket, received, closed }, index) => {
      socket.write(postText(documents[index] as string, { connection: 'close' }))
      await closed
      return { status: Number(received().slice(9, 12)), ms: performance.now() - startedAt, text: received() }
    })
    return Promise.all(answers)
  }

  async function measure(maxDelayMs: number) {
    built = runBuilt({ DATABASE_URL: database.url, LOG_LEVEL: 'warn', MAX_EVENT_LOOP_DELAY_MS: String(maxDelayMs) })
    const url = await ready(built)
    await offer(new URL(url).origin, 20)
    const answers = await offer(new URL(url).origin, requests)
    const before = await memoryOf(built)
    for (const _ of [1, 2]) await offer(new URL(url).origin, requests)
    const grownMb = (await memoryOf(built)) - before
    const health = await fetch(new URL('/health', url))
    const afterwards = await query(url, product(1))
    const output = built.output()
    built.child.kill('SIGTERM')
    await built.exited
    const accepted = answers.filter(({ status }) => status === 200)
    const refused = answers.filter(({ status }) => status === 503)
    return { answers, accepted, refused, grownMb, health, afterwards, output }
  }

  test('those that would wait too long are refused early, so that the others are answered early; it recovers by itself', async () => {
    database = await createDatabase()
    const unprotected = await measure(60_000)
    expect(statuses(unprotected.answers)).toEqual({ 200: requests })

    const shed = await measure(30)
    expect(shed.accepted.length + shed.refused.length).toBe(requests)
    expect(shed.accepted.length).toBeGreaterThan(0)
    expect(shed.refused.length).toBeGreaterThan(requests / 4)
    expect(shed.refused[0]?.text).toMatch(/retry-after: 1[\s\S]*"code":"OVERLOADED"/i)
    expect(last(shed.accepted)).toBeLessThan(last(unprotected.accepted) / 2)
    expect(last(shed.refused)).toBeLessThan(last(unprotected.accepted) / 2)
    expect(shed.grownMb).toBeLessThan(100)
    expect(shed.health.status).toBe(200)
    expect(shed.afterwards.data).toEqual({ product: { id: 'product_1' } })
    expect(shed.output).toContain('overloaded')
    expect(unprotected.output).not.toContain('overloaded')
  }, 60_000)
})

const requests = 250

function statuses(answers: readonly { status: number }[]) {
  return Object.fromEntries(answers.map(({ status }) => [status, answers.filter((its) => its.status === status).length]))
}

/** Resident, in megabytes */
async function memoryOf({ child }: Built): Promise<number> {
  const status = await readFile(`/proc/${child.pid}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024
}

function last(answers: readonly { ms: number }[]): number {
  return Math.max(...answers.map(({ ms }) => ms))
}

/** A document that nobody has sent before: to be parsed, validated and executed */
function expensive(index: number): string {
  return `{ ${Array.from({ length: 150 }, (_, field) => `f${index}_${field}: product(id: "product_1") { id name }`).join(' ')} }`
}
