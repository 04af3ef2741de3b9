import { Agent, request } from 'node:http'
import { describe, expect, test } from 'vitest'
import { coalesceCalls, type HealthReport } from '../../src/http/health/health.js'
import { freePort } from '../../tools/free-port.js'
import { startTestApp } from '../helpers/app.js'
import { startBehindProxy } from '../helpers/behind-proxy.js'
import { waitUntilReady as becomesReady, query, startBuiltServer } from '../helpers/built.js'
import { createDatabase } from '../helpers/database.js'
import { deferred } from '../helpers/deferred.js'
import { lock, waitingStatements } from '../helpers/locks.js'
import { readMetrics, sumOf } from '../helpers/prometheus.js'
import { noRedis, startRedis } from '../helpers/redis.js'
import { until } from '../helpers/until.js'

async function probe(origin: string, path: string) {
  const response = await fetch(`${origin}${path}`)
  return {
    status: response.status,
    connection: response.headers.get('connection'),
    body: (await response.json()) as { state?: string; status?: string },
  }
}

const ready = { status: 200, body: { state: 'ready' } }
const alive = { status: 200, body: { state: 'alive' } }
const healthy: HealthReport = {
  ...{ status: 'healthy', uptimeSeconds: 1 },
  database: { state: 'up', latencyMs: 1 },
  cache: { backend: 'redis', state: 'up', latencyMs: 1 },
}

describe('the probes', () => {
  test('report that the process is alive and ready, with no-store', async () => {
    const app = await startTestApp()
    expect(await probe(app.origin, '/livez')).toMatchObject(alive)
    expect(await probe(app.origin, '/readyz')).toMatchObject(ready)
    for (const path of ['/livez', '/readyz']) {
      expect((await fetch(`${app.origin}${path}`)).headers.get('cache-control')).toBe('no-store')
      expect((await fetch(`${app.origin}${path}`, { method: 'HEAD' })).status).toBe(200)
    }
    await app.stop()
  })

  test('without the database, the process is alive but not ready, until the database is back', async () => {
    const { app, proxy, stop } = await startBehindProxy({})
    proxy.cut()
    expect(await probe(app.origin, '/readyz')).toMatchObject({ status: 503, body: { state: 'database-away' } })
    expect(await probe(app.origin, '/livez')).toMatchObject(alive)
    proxy.restore()
    await until(async () => (await probe(app.origin, '/readyz')).status === 200)
    await stop()
  })

  test('a flood of probes shares one check', async () => {
    let checks = 0
    const underWay = deferred<HealthReport>()
    const check = coalesceCalls(() => {
      checks += 1
      return underWay.promise
    })
    const reports = [check(), check(), check()]
    underWay.resolve(healthy)
    expect(await Promise.all(reports)).toEqual([healthy, healthy, healthy])
    expect(checks).toBe(1)
    await check()
    expect(checks).toBe(2)
  })
})

describe.skipIf(noRedis)('with Redis', () => {
  test('the process stays ready when Redis is down', async () => {
    const redis = await startRedis()
    const app = await startTestApp({ redisUrl: redis.url, env: { REDIS_HEALTH_INTERVAL_MS: '50' } })
    await redis.kill()
    await until(async () => (await probe(app.origin, '/health')).body.status === 'degraded')
    expect(await probe(app.origin, '/readyz')).toMatchObject(ready)
    await app.stop()
    await redis.stop()
  })

  test('the process is not ready before the outbox has been delivered to the cache', async () => {
    const redis = await startRedis()
    const database = await createDatabase()
    await database.sql`update products set stock = 1 where id = 1`
    const release = await lock(database, 'lock table cache_outbox in access exclusive mode')
    const port = await freePort()
    const starting = startTestApp({ redisUrl: redis.url, database, env: { PORT: String(port) } })
    await until(async () => (await waitingStatements(database)).some((statement) => statement.includes('cache_outbox')))
    await expect(fetch(`http://127.0.0.1:${port}/readyz`)).rejects.toThrow()

    await release()
    const app = await starting
    expect(await probe(app.origin, '/readyz')).toMatchObject(ready)
    expect(await database.sql`select 1 from cache_outbox`).toHaveLength(0)
    await app.stop()
    await database.drop()
    await redis.stop()
  })
})

describe('a process that receives SIGTERM', () => {
  test('is not ready, and goes on answering, also on the fast path, closing the connection after each response', async () => {
    const database = await createDatabase()
    const built = startBuiltServer({ DATABASE_URL: database.url, SHUTDOWN_DELAY_MS: '600000' })
    const { origin } = new URL(await becomesReady(built))
    const onFastPath = async () => sumOf(await readMetrics(origin), 'graphql_requests_total', { path: 'compiled' })
    const agent = new Agent({ keepAlive: true })
    for (let times = 0; times < 3; times++)
      expect(await hotQuery(origin, agent)).toEqual({ connection: 'keep-alive', name: 'string' })
    await until(async () => (await onFastPath()) === 1)

    built.child.kill('SIGTERM')
    await until(async () => (await probe(origin, '/readyz')).status === 503)
    expect(await probe(origin, '/readyz')).toEqual({ status: 503, connection: 'close', body: { state: 'leaving' } })
    expect(await probe(origin, '/livez')).toMatchObject(alive)
    expect(await hotQuery(origin, agent)).toEqual({ connection: 'close', name: 'string' })
    await until(async () => (await onFastPath()) === 2)
    const mutation = 'mutation { updateProductStock(productId: "product_1", stock: 42) { product { stock } } }'
    expect((await query(`${origin}/graphql`, mutation)).data).toEqual({ updateProductStock: { product: { stock: 42 } } })
    expect(built.child.exitCode).toBeNull()

    agent.destroy()
    built.child.kill('SIGKILL')
    await built.exited
    await database.drop()
  })

  test('stops answering after the delay', async () => {
    const app = await startTestApp({ env: { SHUTDOWN_DELAY_MS: '100' } })
    await app.stop()
    await expect(fetch(`${app.origin}/livez`)).rejects.toThrow()
  })
})

/** Resolves with the Connection header, and the type of the product's name. */
function hotQuery(origin: string, agent: Agent): Promise<{ connection: string | undefined; name: string }> {
  return new Promise((resolve, reject) => {
    const body = JSON.stringify({ query: '{ product(id: "product_2") { name } }' })
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
    const sent = request(`${origin}/graphql`, { method: 'POST', agent, headers }, async (response) => {
      const { data } = JSON.parse((await response.setEncoding('utf8').toArray()).join(''))
      resolve({ connection: response.headers.connection, name: typeof data.product.name })
    })
    sent.on('error', reject)
    sent.end(body)
  })
}
