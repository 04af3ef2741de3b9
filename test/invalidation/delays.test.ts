import { setTimeout as sleep } from 'node:timers/promises'
import type { Cache } from 'cached-resolvers'
import { Relay } from 'cached-resolvers/postgres'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { claimOutboxRows, confirmOutboxSnapshot, readOutbox } from '../../packages/cached-resolvers/src/postgres/outbox.js'
import { connect } from '../../src/platform/database/connection.js'
import { entities } from '../../src/shop/entities.js'
import { startTestApp, type TestApp } from '../helpers/app.js'
import { createDatabase, type TestDatabase } from '../helpers/database.js'
import { lock, waitingStatements } from '../helpers/locks.js'
import { noRedis, startRedis, type TestRedis } from '../helpers/redis.js'
import { until } from '../helpers/until.js'

let database: TestDatabase
beforeEach(async () => {
  database = await createDatabase()
})
afterEach(() => database.drop())

const outboxRows = () => database.sql<{ entry: string | null }[]>`select entry from cache_outbox`

describe('mutations that wait for a row lock and occupy the whole pool', () => {
  test('do not delay the invalidation of changes committed by others', async () => {
    const app = await startTestApp({ database, env: { DATABASE_POOL: '2' } })
    const release = await lock(database, 'select 1 from products where id = 1 for update')
    const createOrder = 'mutation { createOrder(input: { userId: "user_1", productIds: ["product_1"] }) { userErrors { code } } }'
    const orders = Array.from({ length: 3 }, () => app.query(createOrder))
    await until(async () => (await waitingStatements(database)).length === 2)

    await database.sql`update products set stock = 4711 where id = 2`
    await until(async () => (await outboxRows()).length === 0)
    expect(await waitingStatements(database)).toHaveLength(2)

    await release()
    for (const { data } of await Promise.all(orders)) expect(data.createOrder.userErrors).toEqual([])
    await app.stop()
  })
})

describe('a long backlog', () => {
  const leaveBacklog = () => database.sql`
    insert into cache_outbox (namespace, entry, list)
    select case n % 3 when 0 then 'orders' when 1 then 'user-orders' else 'stats' end,
      case n % 3 when 0 then 'order_' || n end, case n % 3 when 1 then 'user_' || n % 100 when 2 then 'totals' end
    from generate_series(1, 10000) n`

  test('is read as invalidations: each key once, the whole namespace if it has very many rows', async () => {
    await leaveBacklog()
    const { changes } = await readOutbox(database.sql, {
      ...{ registration: '0', namespaces: ['orders', 'user-orders', 'stats'], maxRowsPerNamespace: 3_333 },
    })
    const named = changes.map(({ namespace, entry, list }) => `${namespace} ${entry ?? list ?? '*'}`).sort()
    // user-orders has 3,334 rows, one more than maxRowsPerNamespace.
    expect(named.slice(-2)).toEqual(['stats totals', 'user-orders *'])
    expect(named).toHaveLength(3_333 + 2)
    expect(new Set(named).size).toBe(named.length)
  })

  test('is deleted without the rows committed after it was read', async () => {
    await leaveBacklog()
    const namespaces = ['orders', 'user-orders', 'stats', 'products']
    await database.sql.begin(async (transaction) => {
      // The rows of this transaction have lower ids than the last row of the backlog, but are committed after it.
      await transaction`update products set stock = 1 where id = 1`
      await database.sql`insert into cache_outbox (namespace) values ('stats')`
      const { snapshot } = await readOutbox(database.sql, { registration: '0', namespaces, maxRowsPerNamespace: 10 })
      await transaction`update products set stock = 1 where id = 2`
      await database.sql`update products set stock = 1 where id = 3`
      await confirmOutboxSnapshot(database.sql, { registration: '0', namespaces, snapshot, limit: 20_000 })
    })
    expect((await outboxRows()).map(({ entry }) => entry).sort()).toEqual(['product_1', 'product_2', 'product_3'])
  })
})

describe.skipIf(noRedis)('a process that crashes after claiming rows', () => {
  let redis: TestRedis
  beforeEach(async () => {
    redis = await startRedis()
  })
  afterEach(() => redis.stop())

  const stockOf = async (app: TestApp, id: number) =>
    (await app.query(`{ product(id: "product_${id}") { stock } }`)).data.product.stock

  test('delays them until its claim ends; then another process delivers them', async () => {
    const app = await startTestApp({ database, redisUrl: redis.url })
    await stockOf(app, 1)
    await database.sql.begin(async (transaction) => {
      await transaction`update products set stock = 4711 where id = 1`
      const [{ registration }] = await transaction<[{ registration: string }]>`select registration::text from cache_stores`
      const selection = { registration, namespaces: ['products'] }
      const claimed = await claimOutboxRows(transaction, { ...selection, after: 0, limit: 10, claimMs: 500 })
      expect(claimed.map(({ entry }) => entry)).toEqual(['product_1'])
    })
    await until(async () => (await stockOf(app, 1)) === 4711)
    await until(async () => (await outboxRows()).length === 0)
    await app.stop()
  })

  test('does not delay a process that catches up, even if it locked the rows, as the previous version did', async () => {
    await database.sql`update products set stock = 4711 where id = 1`
    const release = await lock(database, 'select 1 from cache_outbox for update')
    const app = await startTestApp({ database, redisUrl: redis.url })
    expect((await app.query('{ cacheInfo { available } }')).data.cacheInfo.available).toBe(true)
    expect(await stockOf(app, 1)).toBe(4711)
    await release()
    await until(async () => (await outboxRows()).length === 0)
    await app.stop()
  })
})

test('a process whose cache did not confirm rows ends its claim on them', async () => {
  const claimedUntil = async () => {
    const [row] = await database.sql<{ at: Date | null }[]>`select claimed_until as at from cache_outbox`
    return row?.at?.getTime()
  }
  let whileClaimed: number | undefined
  const cache = {
    epoch: 1,
    registration: '1' as string | undefined,
    async invalidate() {
      whileClaimed = await claimedUntil()
      // The cache distrusts its store from now on.
      cache.registration = undefined
      return false
    },
  }
  const relay = new Relay({
    ...{ database: database.sql, cache: cache as unknown as Cache, namespaces: [entities.products.namespace] },
    ...{ intervalMs: 60_000, inUseMs: 2_000, maxWaitMs: 500, sleep, observeLag: () => {}, log: () => {} },
  })
  await relay.start()
  await database.sql`update products set stock = 4711 where id = 2`
  await until(async () => whileClaimed !== undefined && ((await claimedUntil()) as number) < whileClaimed)
  await relay.stop()
})

test('a relay that is stopped does not report the cleanup that the end of its connections interrupts', async () => {
  const connections = connect({ url: database.url, maxConnections: 2, statementTimeoutMs: 60_000, connectTimeoutMs: 60_000 })
  const release = await lock(database, 'lock table cache_stores in exclusive mode')
  const logged: string[] = []
  const cache = { epoch: 1, registration: undefined } as unknown as Cache
  const relay = new Relay({
    ...{ database: connections, cache, namespaces: [], intervalMs: 60_000, inUseMs: 2_000, maxWaitMs: 500 },
    ...{ sleep, observeLag: () => {}, log: (message: string) => logged.push(message) },
  })
  await relay.start()
  // The cleanup waits for the lock.
  await until(async () => (await waitingStatements(database)).some((statement) => statement.includes('delete from cache_stores')))
  await relay.stop()
  await connections.end({ timeout: 0 })
  await release()
  expect(logged).toEqual([])
})
