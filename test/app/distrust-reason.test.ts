import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { HealthReport } from '../../src/http/health/health.js'
import { startTestApp, type TestApp } from '../helpers/app.js'
import { createDatabase, type TestDatabase } from '../helpers/database.js'
import { noRedis, startRedis, type TestRedis } from '../helpers/redis.js'
import { until } from '../helpers/until.js'

const [, documented = ''] = /^ACL SETUSER shop (.*)$/m.exec(readFileSync('docs/operations.md', 'utf8')) ?? []
const rights = documented.split(' ')
const change = 'mutation { updateProductStock(productId: "product_1", stock: 7) { product { stock } } }'

describe.skipIf(noRedis)('a Redis that answers and cannot be used', () => {
  let redis: TestRedis
  let database: TestDatabase
  beforeAll(async () => {
    redis = await startRedis()
    database = await createDatabase()
  })
  afterAll(async () => {
    await redis.stop()
    await database.drop()
  })

  /** Waits until /health gives this reason, and shows that queries are answered meanwhile. */
  async function isGiven(
    reason: RegExp,
    env: Record<string, string>,
    change?: (app: TestApp) => Promise<unknown>,
  ): Promise<void> {
    const app = await startTestApp({ database, env })
    await change?.(app)
    await until(async () => {
      const { status, cache } = (await (await fetch(`${app.origin}/health`)).json()) as HealthReport
      return status === 'degraded' && cache.state === 'down' && reason.test(cache.reason)
    })
    expect((await app.query('{ product(id: "product_1") { id } }')).data).toEqual({ product: { id: 'product_1' } })
    expect(await (await fetch(app.origin, { headers: { accept: 'text/html' } })).text()).toContain('<dd>down: ')
    await app.stop()
  }

  async function asUser(...its: string[]): Promise<{ REDIS_URL: string }> {
    await redis.client.acl('SETUSER', 'shop', 'reset', ...its)
    return { REDIS_URL: redis.url.replace('redis://', 'redis://shop:secret@') }
  }

  test('a database that the server does not have: database 0 is left alone, and the reason is given', async () => {
    await redis.client.flushall()
    await isGiven(/database 16 .*DB index is out of range/, { REDIS_URL: `${redis.url}/16` })
    expect(await redis.client.dbsize()).toBe(0)
  })

  test('a user without INFO', async () => {
    const env = await asUser(...rights.filter((right) => right !== '+info'))
    await isGiven(/NOPERM.*'info'/, env)
  })

  test('a user without the keys', async () => {
    const env = await asUser(...rights.map((right) => right.replace('~ecommerce:*', '~other:*')))
    await isGiven(/NOPERM.*key/, env)
  })

  test('a user without the channel', async () => {
    await redis.client.flushall()
    const env = await asUser(...rights.filter((right) => !right.startsWith('&')))
    await isGiven(/can't publish to the channel/, env)
  })

  test('a user that loses the channel, as soon as something changes', async () => {
    const env = await asUser(...rights)
    await isGiven(/not confirmed .*can't publish to the channel/, { ...env, CACHE_NEAR_MAX_STALENESS_MS: '200' }, async (app) => {
      await until(async () => (await fetch(`${app.origin}/health`)).text().then((text) => text.includes('"healthy"')))
      await redis.client.acl('SETUSER', 'shop', 'resetchannels')
      expect((await app.query(change)).data.updateProductStock.product.stock).toBe(7)
    })
  })

  test('the user of the documentation is refused nothing', async () => {
    await redis.client.call('ACL', 'LOG', 'RESET')
    const env = await asUser(...rights)
    const app = await startTestApp({ database, env: { ...env, CACHE_NEAR_MB: '8', RATE_LIMIT: '100000' } })
    await until(async () => (await fetch(`${app.origin}/health`)).text().then((text) => text.includes('"healthy"')))
    for (const document of [
      '{ products { nodes { id } } order(id: "order_1") { user { name } } }',
      '{ cacheInfo { backend } stats { totalUsers } }',
      change,
    ])
      expect((await app.query(document)).errors).toBeUndefined()
    // Counts are saved at the end.
    await app.stop()
    expect(await redis.client.call('ACL', 'LOG')).toEqual([])
  })

  test('a wrong password', async () => {
    await asUser(...rights)
    await isGiven(/WRONGPASS/, { REDIS_URL: redis.url.replace('redis://', 'redis://shop:mistaken@') })
  })

  test('one node of a cluster', async () => {
    const node = await startRedis('--cluster-enabled', 'yes')
    await isGiven(/node of a Redis Cluster/, { REDIS_URL: node.url })
    await node.stop()
  })

  test('a server without a cluster, configured as one', async () => {
    await isGiven(/cluster support disabled/, { REDIS_CLUSTER_NODES: redis.url })
  })
})
