import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../../../../test/helpers/app.js'
import { createDatabase, type TestDatabase } from '../../../../test/helpers/database.js'
import { startProxy } from '../../../../test/helpers/proxy.js'
import { noRedis, redisOptions, type TestRedis } from '../../../../test/helpers/redis.js'
import { startSentinels, type TestSentinels } from '../../../../test/helpers/redis-sentinel.js'
import { until } from '../../../../test/helpers/until.js'
import { Cache } from '../../src/cache/cache.js'
import type { Namespace } from '../../src/cache/namespace.js'
import { createTokenSource } from '../../src/cache/token.js'
import { RedisStore } from '../../src/redis/redis-store.js'
import { describeStoreContract } from './store-contract.js'

describeStoreContract(
  'Redis Sentinel',
  async () => {
    const { target, stop } = await startSentinels()
    const store = new RedisStore({ ...redisOptions(''), target, connections: 2 })
    return { store, wait: async (ms) => void (await sleep(ms)), stop }
  },
  { skip: noRedis },
)

describe.skipIf(noRedis)('the API on a master, its replica and three sentinels', () => {
  let sentinels: TestSentinels
  let database: TestDatabase
  let apps: TestApp[]
  beforeEach(async () => {
    apps = []
    database = await createDatabase()
    sentinels = await startSentinels()
  })
  afterEach(async () => {
    await Promise.all(apps.map((app) => app.stop()))
    await sentinels.stop()
    await database.drop()
  })

  async function startApp(env: Record<string, string> = {}): Promise<TestApp> {
    const { urls, masterName } = sentinels.target
    const app = await startTestApp({
      database,
      env: {
        ...{ REDIS_SENTINEL_NODES: urls.join(), REDIS_SENTINEL_MASTER: masterName, REDIS_HEALTH_INTERVAL_MS: '100' },
        ...{ CACHE_NEAR_MB: '8', ...env },
      },
    })
    apps.push(app)
    return app
  }

  const document = '{ user(id: "user_1") { orders { nodes { id user { name } products { id name } } } } }'
  const status = async ({ origin }: TestApp) => ((await (await fetch(`${origin}/health`)).json()) as { status: string }).status
  const isHealthy = async (app: TestApp) => (await status(app)) === 'healthy'
  /** Whether the second of two reads needs no SQL */
  const isWarm = async (app: TestApp) => {
    await app.query(document)
    app.takeStatements()
    expect((await app.query(document)).errors).toBeUndefined()
    return app.takeStatements().length === 0
  }

  test('survives the loss of the master under load: no read fails, none is older than a write answered before', async () => {
    const [app, other] = [await startApp(), await startApp()]
    await until(async () => (await isHealthy(app)) && (await isHealthy(other)))
    expect((await app.query('{ cacheInfo { backend } }')).data.cacheInfo.backend).toBe('redis')
    await until(() => isWarm(app))
    const stockOf = async (target: TestApp) => {
      const { data, errors } = await target.query('{ product(id: "product_1") { stock } }')
      return errors ? null : (data.product.stock as number)
    }

    let written = 0
    let reads = 0
    const failures: string[] = []
    let running = true
    const reader = async (target: TestApp) => {
      while (running) {
        const before = written
        const stock = await stockOf(target)
        reads += 1
        if (stock === null) failures.push('a read failed')
        else if (target === app && stock < before) failures.push(`read ${stock} after ${before} was answered`)
        await sleep(5)
      }
    }
    const writer = async () => {
      while (running) {
        const stock = written + 1
        const mutation = `mutation { updateProductStock(productId: "product_1", stock: ${stock}) { product { stock } } }`
        const { data, errors } = await app.query(mutation)
        if (errors || data.updateProductStock.product.stock !== stock) failures.push(`write ${stock}: ${JSON.stringify(errors)}`)
        written = stock
        await sleep(20)
      }
    }
    const load = [reader(app), reader(app), reader(other), writer()]
    await until(() => written > 5)
    const generation = await sentinels.master.client.get('ecommerce:v1:products')
    await sentinels.master.kill()
    const [killedAt, readsBefore] = [written, reads]
    await until(() => sentinels.isMaster(sentinels.replica))
    await until(async () => (await isHealthy(app)) && (await isHealthy(other)))
    expect(written).toBeGreaterThan(killedAt)
    expect(reads).toBeGreaterThan(readsBefore)
    await until(async () => (await isWarm(app)) && (await isWarm(other)))
    running = false
    await Promise.all(load)
    expect(failures).toEqual([])
    expect(await sentinels.replica.client.get('ecommerce:v1:products')).not.toBe(generation)
    await until(async () => (await stockOf(other)) === written)
  })

  test('if the sentinels lost a master, and a process lost the sentinels, every process still sees all writes', async () => {
    const proxies = await Promise.all(sentinels.target.urls.map((url) => startProxy(portOf(url))))
    const asShop = (ports: readonly number[]) =>
      ports.map((port, index) => `redis://${index === 0 ? 'shop:secret@' : ''}127.0.0.1:${port}`).join()
    const stays = await startApp({ REDIS_SENTINEL_NODES: asShop(proxies.map(({ port }) => port)) })
    const follows = await startApp({ REDIS_SENTINEL_NODES: asShop(sentinels.target.urls.map(portOf)) })
    const stockOf = async (app: TestApp, id: number) =>
      (await app.query(`{ product(id: "product_${id}") { stock } }`)).data.product.stock as number
    await until(async () => (await isHealthy(stays)) && (await isHealthy(follows)))
    for (let id = 1; id <= 20; id += 1) for (const app of [stays, follows]) await stockOf(app, id)

    // Sentinels consider a master dead that refuses their PING. It still serves its other clients.
    const admin = new Redis(`redis://shop:secret@127.0.0.1:${portOf(sentinels.master.url)}`)
    await admin.call('ACL', 'SETUSER', 'default', '-@all')
    for (const proxy of proxies) proxy.cut()
    await until(() => sentinels.isMaster(sentinels.replica))
    await until(() => isHealthy(follows))
    await until(() => isWarm(stays))
    expect(await admin.client('LIST')).toMatch(/flags=N .* cmd=(?!client)\S+ user=shop /)

    for (let id = 1; id <= 20; id += 1) {
      const [writer, reader] = id % 2 === 0 ? [stays, follows] : [follows, stays]
      const mutation = `mutation { updateProductStock(productId: "product_${id}", stock: ${1000 + id}) { product { stock } } }`
      expect((await writer.query(mutation)).data.updateProductStock.product.stock).toBe(1000 + id)
      expect(await stockOf(reader, id)).toBe(1000 + id)
    }
    await admin.call('ACL', 'SETUSER', 'default', '+@all')
    for (const proxy of proxies) proxy.restore()
    await until(async () => (await sentinels.master.client.info('replication')).includes('role:slave'))
    await until(async () => (await isWarm(stays)) && (await isWarm(follows)))
    for (let id = 1; id <= 20; id += 1) for (const app of [stays, follows]) expect(await stockOf(app, id)).toBe(1000 + id)
    admin.disconnect()
    await Promise.all(proxies.map((proxy) => proxy.stop()))
  })
})

function portOf(url: string): number {
  return Number(new URL(url).port)
}

const things: Namespace<string> = { name: 'things', version: 1, softTtlMs: 60_000, graceMs: 60_000, negativeTtlMs: 10_000 }

describe.skipIf(noRedis)('the cache on a master, its replica and three sentinels', () => {
  let sentinels: TestSentinels
  let caches: Cache[]
  beforeEach(async () => {
    caches = []
    sentinels = await startSentinels()
  })
  afterEach(async () => {
    await Promise.all(caches.map((cache) => cache.close()))
    await sentinels.stop()
  })

  /** A cache as another process would have it. A server that hangs for less than 5 s does not lose its connection. */
  async function createCache(target = sentinels.target) {
    const store = new RedisStore({ ...redisOptions(''), target, commandTimeoutMs: 250, healthIntervalMs: 50 })
    const cache = new Cache({
      ...{ store, prefix: 'sentinel', version: 'v1', namespaces: [things], near: { maxBytes: 1e6, maxStalenessMs: 500 } },
      fetchLimits: { maxRunning: 100, maxRunMs: 60_000, maxWaiting: 0, maxWaitMs: 0 },
      ...{ leaseMs: 10_000, leaseWaitMs: 200, createToken: createTokenSource(), now: Date.now, random: () => 0.5 },
      sleep: (ms) => sleep(ms),
    })
    caches.push(cache)
    await cache.connect()
    return { cache, store }
  }

  const get = (cache: Cache, value: string) => cache.getOrFetch(things, 'a', async (ids) => new Map(ids.map((id) => [id, value])))
  const nearHits = async (cache: Cache) => (await cache.counts(['things'])).get('things')?.nearHits ?? 0
  const readsNear = async (cache: Cache) => {
    const before = await nearHits(cache)
    await cache.read(things, 'a')
    return (await nearHits(cache)) > before
  }
  const info = async ({ client }: TestRedis, field: string) => new RegExp(`^${field}:(\\S*)`, 'm').exec(await client.info())?.[1]

  /** Waits until the near store is used again and invalidations by another process are applied. */
  async function waitForInvalidationsOf(other: Cache, cache: Cache) {
    await until(async () => (await get(cache, 'new')) === 'new' && (await readsNear(cache)))
    await until(() => other.trusted)
    await until(() => other.invalidate(things, { ids: ['a'] }))
    await until(async () => (await cache.read(things, 'a')).state === 'miss')
  }

  test('a master that hangs: the new master is used, even when the old one answers again as a master', async () => {
    const [{ cache, store }, { cache: other }] = [await createCache(), await createCache()]
    await get(cache, 'old')
    await until(() => readsNear(cache))
    sentinels.master.freeze()
    await until(async () => (await get(cache, 'from the database')) === 'from the database')
    expect(cache.trusted).toBe(false)
    await until(() => sentinels.isMaster(sentinels.replica))
    // It acts as master for 8 s more: sentinels take that long to make it a replica.
    sentinels.master.thaw()
    await until(() => cache.trusted && other.trusted)
    expect(await store.identity()).toContain(await info(sentinels.replica, 'run_id'))
    await waitForInvalidationsOf(other, cache)
  })

  test('a master that still answers after a failover is no longer used', async () => {
    const [{ cache, store }, { cache: other }] = [await createCache(), await createCache()]
    await get(cache, 'old')
    await sentinels.failOver()
    await until(() => sentinels.isMaster(sentinels.replica))
    await until(async () => cache.trusted && (await store.identity()).startsWith(`${await info(sentinels.replica, 'run_id')}/`))
    await waitForInvalidationsOf(other, cache)
  })

  test('the credentials and the database number of the first address are used for the server, and not sent to the sentinels', async () => {
    const { urls, masterName } = sentinels.target
    // The sentinels have no such user and would refuse the connection.
    const first = urls[0].replace('//', '//shop:secret@').concat('/3')
    const { cache } = await createCache({ kind: 'sentinel', urls: [first, ...urls.slice(1)], masterName })
    await until(() => cache.trusted)
    expect(await sentinels.master.client.client('LIST')).toMatch(/ db=3 .* user=shop /)
  })

  const outages: [string, () => Promise<void>, () => Promise<void>][] = [
    ['are unreachable', () => sentinels.killSentinels(), () => sentinels.startSentinels()],
    ['hang', async () => sentinels.freezeSentinels(), async () => sentinels.thawSentinels()],
  ]
  test.each(outages)(
    'sentinels that %s: no request waits for them, and the cache is used when they are back',
    async (_, stop, restart) => {
      await stop()
      const { cache } = await createCache()
      expect(cache.trusted).toBe(false)
      expect(await get(cache, 'a')).toBe('a')
      await restart()
      await until(() => cache.trusted)
      await until(async () => (await get(cache, 'b')) === 'b' && (await cache.read(things, 'a')).state === 'hit')
      // Clients with a connection work without sentinels, and can be closed when that connection is lost, too.
      await stop()
      expect((await cache.read(things, 'a')).state).toBe('hit')
      await sentinels.master.kill()
      await until(() => !cache.trusted)
      expect(await get(cache, 'c')).toBe('c')
      await cache.close()
    },
  )
})
