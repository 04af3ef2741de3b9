import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../helpers/app.js'
import { createDatabase, type TestDatabase } from '../helpers/database.js'
import { startProxy, type TestProxy } from '../helpers/proxy.js'
import { noRedis, startRedis, type TestRedis } from '../helpers/redis.js'
import { until } from '../helpers/until.js'

/** The deadlines that these tests are about, or that detect a fault */
const settings = {
  CACHE_NEAR_MB: '16',
  CACHE_NEAR_MAX_STALENESS_MS: '500',
  REDIS_TIMEOUT_MS: '250',
  REDIS_HEALTH_INTERVAL_MS: '50',
}

let database: TestDatabase
let stops: (() => Promise<unknown>)[]
beforeEach(async () => {
  database = await createDatabase()
  stops = [() => database.drop()]
})
afterEach(async () => {
  for (const stop of stops.reverse()) await stop()
})

async function redis(): Promise<TestRedis> {
  const started = await startRedis()
  stops.push(() => started.stop())
  return started
}

async function proxyTo(server: TestRedis): Promise<TestProxy & { url: string }> {
  const proxy = await startProxy(portOf(server))
  stops.push(() => proxy.stop())
  return { ...proxy, url: `redis://127.0.0.1:${proxy.port}` }
}

async function app(redisUrl?: string, env: Record<string, string> = {}): Promise<TestApp> {
  const started = await startTestApp({ database, ...(redisUrl !== undefined && { redisUrl }), env: { ...settings, ...env } })
  stops.push(() => started.stop())
  return started
}

const keyOfProduct = 'ecommerce:v1:products:product_1'
const portOf = ({ url }: TestRedis) => Number(new URL(url).port)
const stockOf = async ({ query }: TestApp, id = 1) =>
  (await query(`{ product(id: "product_${id}") { stock } }`)).data.product.stock
const setStock = async ({ query }: TestApp, stock: number, id = 1) => {
  const { data } = await query(
    `mutation { updateProductStock(productId: "product_${id}", stock: ${stock}) { product { stock } userErrors { code } } }`,
  )
  expect(data.updateProductStock).toEqual({ product: { stock }, userErrors: [] })
}
const setStockBySql = (stock: number, id = 1) => database.sql`update products set stock = ${stock} where id = ${id}`
const isCacheUsed = async ({ query }: TestApp) => (await query('{ cacheInfo { available } }')).data.cacheInfo.available
const untilRead = async (reader: TestApp, stock: number) => until(async () => (await stockOf(reader)) === stock)
/** Waits for the value and checks that it stays. */
async function expectStays(reader: TestApp, stock: number): Promise<void> {
  for (let reads = 0; reads < 50; reads += 1) {
    expect(await stockOf(reader)).toBe(stock)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

/** Retries: a process that was stalled does not claim rows until it has caught up. */
class NotClaimingError extends Error {}

async function eventually(work: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof NotClaimingError)) throw error
    }
  }
}

/** Statements of relays on the outbox that wait for a lock, without those that delete old rows */
const relaysWaiting = () => database.sql<{ isClaim: boolean }[]>`
  select query like '%update cache_outbox set claimed_by%' as "isClaim" from pg_stat_activity
  where wait_event_type = 'Lock' and query like '%from cache_outbox%' and query not like '%delete from%'`

describe.skipIf(noRedis)('an address that switches to another Redis, and back', () => {
  test('serves nothing from the first that was changed meanwhile, whatever the cause of the switch back', async () => {
    const [first, second] = [await redis(), await redis()]
    const proxy = await proxyTo(first)
    const [one, other] = [await app(proxy.url), await app(proxy.url)]
    await setStockBySql(1)
    for (const reader of [one, other]) await untilRead(reader, 1)

    proxy.redirectTo(portOf(second))
    proxy.cut()
    proxy.restore()
    await until(async () => (await isCacheUsed(one)) && (await isCacheUsed(other)))
    await setStockBySql(2)
    await setStock(one, 3, 2)
    for (const reader of [one, other]) await untilRead(reader, 2)
    await until(
      async () =>
        (
          await database.sql`select 1 from cache_outbox where not delivered_to @> array(
      select registration from cache_stores order by registration desc limit 1)`
        ).length === 0,
    )

    proxy.redirectTo(portOf(first))
    proxy.cut()
    proxy.restore()
    for (const reader of [one, other]) {
      expect(await stockOf(reader)).toBe(2)
      expect(await stockOf(reader, 2)).toBe(3)
    }
    await until(async () => (await isCacheUsed(one)) && (await isCacheUsed(other)))
    for (const reader of [one, other]) await expectStays(reader, 2)
    expect(await stockOf(other, 2)).toBe(3)
  })

  test('trusts the first only for the invalidations that it has confirmed itself', async () => {
    const [first, second] = [await redis(), await redis()]
    const proxy = await proxyTo(first)
    // Connections are cut and do not hang, so slow answers must not count as faults.
    const one = await app(proxy.url, { REDIS_TIMEOUT_MS: '60000' })
    await setStockBySql(1)
    // Reads before the cache is used are not cached.
    await until(async () => (await stockOf(one)) === 1 && (await first.client.get(keyOfProduct)) !== null)
    // The outbox is empty, so the relay claims the next change.
    await until(async () => (await database.sql`select 1 from cache_outbox`).length === 0)

    // The relay claims changes for the first, and gets the answer when the address leads to the second.
    const changeWhileClaiming = () =>
      database.sql.begin(async (transaction) => {
        await transaction`set local idle_in_transaction_session_timeout = 0`
        await transaction`update products set stock = 2 where id = 1`
        await transaction`lock table cache_outbox in access exclusive mode`
        await until(async () => (await relaysWaiting()).length > 0)
        if (!(await relaysWaiting()).some(({ isClaim }) => isClaim)) throw new NotClaimingError()
        proxy.redirectTo(portOf(second))
        proxy.cut()
        proxy.restore()
        await until(async () => (await database.sql`select 1 from cache_stores`).length === 2)
      })
    await eventually(async () => {
      await until(async () => await isCacheUsed(one))
      await changeWhileClaiming()
    })
    await until(async () => await isCacheUsed(one))
    await untilRead(one, 2)

    proxy.redirectTo(portOf(first))
    proxy.cut()
    proxy.restore()
    await until(async () => await isCacheUsed(one))
    await expectStays(one, 2)
  })

  test('two servers at the same time, each used by one process, are both correct', async () => {
    const [one, other] = [await app((await redis()).url), await app((await redis()).url)]
    for (let stock = 1; stock <= 20; stock += 2) {
      await setStockBySql(stock)
      for (const reader of [one, other]) await untilRead(reader, stock)
      await setStock(one, stock + 1)
      for (const reader of [one, other]) expect(await stockOf(reader)).toBe(stock + 1)
    }
    await until(async () => (await database.sql`select 1 from cache_outbox`).length === 0)
  })

  test('a master that becomes a replica is no longer used, although its connections stay open', async () => {
    const [old, successor] = [await redis(), await redis()]
    const proxy = await proxyTo(old)
    const [one, other] = [await app(proxy.url), await app(proxy.url)]
    await setStockBySql(1)
    for (const reader of [one, other]) await untilRead(reader, 1)
    proxy.redirectTo(portOf(successor))
    await old.client.replicaof('127.0.0.1', portOf(successor))
    await setStockBySql(2)
    for (const reader of [one, other]) await untilRead(reader, 2)
    await until(async () => (await isCacheUsed(one)) && (await isCacheUsed(other)))
    await setStock(one, 3)
    for (const reader of [one, other]) await expectStays(reader, 3)
  })
})

describe.skipIf(noRedis)('processes with other keys on one Redis, as in a rolling restart that changes CACHE_PREFIX', () => {
  test('each receive every invalidation', async () => {
    const server = await redis()
    const [old, young] = [await app(server.url, { CACHE_PREFIX: 'old' }), await app(server.url, { CACHE_PREFIX: 'young' })]
    for (let stock = 1; stock <= 10; stock += 2) {
      await setStockBySql(stock)
      for (const reader of [old, young]) await untilRead(reader, stock)
      await setStock(old, stock + 1)
      for (const reader of [old, young]) expect(await stockOf(reader)).toBe(stock + 1)
    }
  })
})

describe('two processes without Redis on one database', () => {
  test('are up to date within the bound, and immediately after a mutation', async () => {
    const [one, other] = [await app(), await app()]
    for (let stock = 1; stock <= 20; stock += 2) {
      await setStockBySql(stock)
      for (const reader of [one, other]) await untilRead(reader, stock)
      await setStock(one, stock + 1)
      for (const reader of [one, other]) expect(await stockOf(reader)).toBe(stock + 1)
    }
    expect(
      await database.sql`select 1 from cache_outbox where not delivered_to @> array(select registration from cache_stores)`,
    ).toEqual([])
  })

  test('a stopped process no longer delays the mutations of the other', async () => {
    const [one, other] = [await app(), await startTestApp({ database })]
    await other.stop()
    await setStock(one, 1)
    expect(await database.sql`select 1 from cache_outbox`).toEqual([])
    expect(await database.sql`select 1 from cache_stores`).toHaveLength(1)
  })
})

describe.skipIf(noRedis)('once a mutation is answered, no process serves the old value', () => {
  async function staleReads(writer: TestApp, reader: TestApp, writes: number): Promise<number> {
    let stale = 0
    for (let stock = 1; stock <= writes; stock += 1) {
      await stockOf(reader)
      await stockOf(reader)
      await setStock(writer, stock)
      if ((await stockOf(reader)) !== stock) stale += 1
    }
    return stale
  }

  test('without faults', async () => {
    const server = await redis()
    const [writer, reader] = [await app(server.url), await app(server.url)]
    expect(await staleReads(writer, reader, 100)).toBe(0)
    const { data } = await reader.query('{ stats { caches { namespace nearHits } } }')
    expect(data.stats.caches.find(({ namespace }: { namespace: string }) => namespace === 'PRODUCTS').nearHits).toBeGreaterThan(0)
  })

  test.each(['the reader', 'the writer'])('with the connections of %s to Redis hung', async (whose) => {
    const server = await redis()
    const proxy = await proxyTo(server)
    const [writer, reader] = [
      await app(whose === 'the writer' ? proxy.url : server.url),
      await app(whose === 'the reader' ? proxy.url : server.url),
    ]
    expect(await staleReads(writer, reader, 3)).toBe(0)
    proxy.freeze()
    expect(await staleReads(writer, reader, 3)).toBe(0)
  })

  test('cache_wait() confirms it for changes by SQL', async () => {
    const server = await redis()
    const [one, other] = [await app(server.url), await app(server.url)]
    for (let stock = 1; stock <= 30; stock += 1) {
      for (const reader of [one, other, one, other]) await stockOf(reader)
      await setStockBySql(stock)
      expect(await database.sql`select cache_wait()`).toEqual([{ cache_wait: true }])
      for (const reader of [one, other]) expect(await stockOf(reader)).toBe(stock)
    }
  })

  test('cache_wait() before the commit is refused, and returns false after its timeout', async () => {
    const waiting = database.sql.begin(async (transaction) => {
      await transaction`update products set stock = 1 where id = 1`
      await transaction`select cache_wait()`
    })
    await expect(waiting).rejects.toThrow('cannot wait for changes that are not committed')
    await database.sql`insert into cache_stores (name, namespaces, in_use_at) values ('silent', '{products}', clock_timestamp() + interval '1 minute')`
    await setStockBySql(2)
    expect(await database.sql`select cache_wait('20 milliseconds')`).toEqual([{ cache_wait: false }])
  })
})
