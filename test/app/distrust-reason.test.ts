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

describe.skipIf(noRedis)('a Redis that answers but cannot be used', () => {
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

  /** Waits until /health reports this reason, and checks that queries are answered meanwhile. */
  async function expectReason(
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

  async function asUser(...rules: string[]): Promise<{ REDIS_URL: string }> {
    await redis.client.acl('SETUSER', 'shop', 'reset', ...rules)
    return { REDIS_URL: redis.url.replace('redis://', 'redis://shop:secret@') }
  }

  test('a database number that does not exist: database 0 is not changed', async () => {
    await redis.client.flushall()
    await expectReason(/database 16 .*DB index is out of range/, { REDIS_URL: `${redis.url}/16` })
    expect(await redis.client.dbsize()).toBe(0)
  })

  test('a user without INFO', async () => {
    const env = await asUser(...rights.filter((right) => right !== '+info'))
    await expectReason(/NOPERM.*'info'/, env)
  })

  test('a user without the keys', async () => {
    const env = await asUser(...rights.map((right) => right.replace('~ecommerce:*', '~other:*')))
    await expectReason(/NOPERM.*key/, env)
  })

  test('a user without the channel', async () => {
    await redis.client.flushall()
    const env = await asUser(...rights.filter((right) => !right.startsWith('&')))
    await expectReason(/can't publish to the channel/, env)
  })

  test('a user that loses the channel, at the next change', async () => {
    const env = await asUser(...rights)
    await expectReason(
      /not confirmed .*can't publish to the channel/,
      { ...env, CACHE_NEAR_MAX_STALENESS_MS: '200' },
      async (app) => {
        await until(async () => (await fetch(`${app.origin}/health`)).text().then((text) => text.includes('"healthy"')))
        await redis.client.acl('SETUSER', 'shop', 'resetchannels')
        expect((await app.query(change)).data.updateProductStock.product.stock).toBe(7)
      },
    )
  })

  test('the documented user is allowed everything that the server does', async () => {
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
    // Stopping saves the counts.
    await app.stop()
    expect(await redis.client.call('ACL', 'LOG')).toEqual([])
  })

  test('a wrong password', async () => {
    await asUser(...rights)
    await expectReason(/WRONGPASS/, { REDIS_URL: redis.url.replace('redis://', 'redis://shop:mistaken@') })
  })

  test('one node of a cluster', async () => {
    const node = await startRedis('--cluster-enabled', 'yes')
    await expectReason(/node of a Redis Cluster/, { REDIS_URL: node.url })
    await node.stop()
  })

  test('a server without a cluster, configured as one', async () => {
    await expectReason(/cluster support disabled/, { REDIS_CLUSTER_NODES: redis.url })
  })
})
