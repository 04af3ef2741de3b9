import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { HealthReport } from '../../src/http/health.js'
import { startTestApp, type TestApp } from '../helpers/app.js'
import { createDatabase, type TestDatabase } from '../helpers/database.js'
import { noRedis, startRedis, type TestRedis } from '../helpers/redis.js'
import { until } from '../helpers/until.js'

const rights = ['on', '>secret', '~ecommerce:*', '&ecommerce:*', '+@all', '-@dangerous', '+info']

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

  /** What /health comes to say, while queries are answered. */
  async function reasonAt(url: string, change?: (app: TestApp) => Promise<unknown>): Promise<string> {
    const app = await startTestApp({ redisUrl: url, database })
    await change?.(app)
    const read = async () => (await (await fetch(`${app.origin}/health`)).json()) as HealthReport
    await until(async () => (await read()).status === 'degraded')
    expect((await app.query('{ product(id: "product_1") { id } }')).data).toEqual({ product: { id: 'product_1' } })
    const { cache } = await read()
    expect(await (await fetch(app.origin, { headers: { accept: 'text/html' } })).text()).toContain('down: ')
    await app.stop()
    return cache.state === 'down' ? cache.reason : ''
  }

  async function asUser(...its: string[]): Promise<string> {
    await redis.client.acl('SETUSER', 'shop', 'reset', ...its)
    return redis.url.replace('redis://', 'redis://shop:secret@')
  }

  test('a database that the server does not have: database 0 is left alone, and the reason is given', async () => {
    await redis.client.flushall()
    expect(await reasonAt(`${redis.url}/16`)).toMatch(/database 16 .*DB index is out of range/)
    expect(await redis.client.dbsize()).toBe(0)
  })

  test('a user without INFO', async () => {
    const url = await asUser(...rights.filter((right) => right !== '+info'))
    expect(await reasonAt(url)).toMatch(/NOPERM.*'info'/)
  })

  test('a user without the keys', async () => {
    const url = await asUser(...rights.map((right) => right.replace('~ecommerce:*', '~other:*')))
    expect(await reasonAt(url)).toMatch(/NOPERM.*key/)
  })

  test('a user without the channel', async () => {
    await redis.client.flushall()
    const url = await asUser(...rights.filter((right) => !right.startsWith('&')))
    expect(await reasonAt(url)).toMatch(/can't publish to the channel/)
  })

  test('a user that loses the channel, as soon as something changes', async () => {
    const url = await asUser(...rights)
    const stock = 'mutation { updateProductStock(productId: "product_1", stock: 7) { product { stock } } }'
    const reason = await reasonAt(url, async (app) => {
      await until(async () => (await fetch(`${app.origin}/health`)).text().then((text) => text.includes('"healthy"')))
      await redis.client.acl('SETUSER', 'shop', 'resetchannels')
      expect((await app.query(stock)).data.updateProductStock.product.stock).toBe(7)
    })
    expect(reason).toMatch(/not confirmed .*can't publish to the channel/)
  })

  test('a wrong password', async () => {
    await asUser(...rights)
    expect(await reasonAt(redis.url.replace('redis://', 'redis://shop:mistaken@'))).toMatch(/WRONGPASS/)
  })

  test('one node of a cluster', async () => {
    const node = await startRedis('--cluster-enabled', 'yes')
    expect(await reasonAt(node.url)).toMatch(/node of a Redis Cluster/)
    await node.stop()
  })

  test('a server without a cluster, configured as one', async () => {
    const app = await startTestApp({ database, env: { REDIS_CLUSTER_NODES: redis.url } })
    const { cache } = (await (await fetch(`${app.origin}/health`)).json()) as HealthReport
    expect(cache).toMatchObject({ state: 'down', reason: expect.stringContaining('cluster support disabled') })
    await app.stop()
  })
})
