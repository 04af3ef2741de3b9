import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestApp } from '../../../../test/helpers/app.js'
import { noRedis, redisOptions } from '../../../../test/helpers/redis.js'
import { startCluster, type TestCluster } from '../../../../test/helpers/redis-cluster.js'
import { until } from '../../../../test/helpers/until.js'
import { RedisStore } from '../../src/redis/redis-store.js'
import { describeStoreContract } from './store-contract.js'

describeStoreContract(
  'Redis Cluster',
  async () => {
    const cluster = await startCluster()
    const store = new RedisStore({ ...redisOptions(cluster.urls[0]), target: { kind: 'cluster', urls: cluster.urls } })
    return { store, wait: async (ms) => void (await sleep(ms)), stop: cluster.stop }
  },
  { skip: noRedis },
)

describe.skipIf(noRedis)('the API on a cluster of three masters and three replicas', () => {
  let cluster: TestCluster
  beforeAll(async () => {
    cluster = await startCluster()
  })
  afterAll(() => cluster.stop())

  test('reads warm without SQL, sees writes, and survives the loss of a master under load', async () => {
    const app = await startTestApp({
      env: { REDIS_CLUSTER_NODES: cluster.urls.join(), REDIS_HEALTH_INTERVAL_MS: '100', CACHE_NEAR_MB: '8' },
    })
    const document = '{ user(id: "user_1") { orders { nodes { id user { name } products { id name } } } } }'
    const status = async () => ((await (await fetch(`${app.origin}/health`)).json()) as { status: string }).status
    const isWarm = async () => {
      await app.query(document)
      app.takeStatements()
      expect((await app.query(document)).errors).toBeUndefined()
      return app.takeStatements().length === 0
    }
    await until(async () => (await status()) === 'healthy')
    expect((await app.query('{ cacheInfo { backend } }')).data.cacheInfo.backend).toBe('redis-cluster')
    await until(isWarm)

    let failed = 0
    let running = true
    const reader = async () => {
      while (running) {
        if ((await app.query(document)).errors) failed += 1
        await sleep(5)
      }
    }
    const readers = [reader(), reader()]
    await cluster.killMasterOf('ecommerce:v1:products')
    const stock = 'mutation ($stock: Int!) { updateProductStock(productId: "product_1", stock: $stock) { product { stock } } }'
    expect((await app.query(stock, { stock: 1234 })).data.updateProductStock.product.stock).toBe(1234)
    await until(async () => (await status()) === 'healthy')
    running = false
    await Promise.all(readers)
    expect(failed).toBe(0)
    await until(isWarm)
    expect((await app.query('{ product(id: "product_1") { stock } }')).data.product.stock).toBe(1234)
    await app.stop()
  })
})
