import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { claimOutboxRows } from '../../src/database/outbox.js'
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

const owed = () => database.sql<{ entry: string | null }[]>`select entry from cache_outbox`

describe('mutations that wait for a row, with every connection of the pool', () => {
  test('do not delay the invalidation of what others commit', async () => {
    const app = await startTestApp({ database, env: { DATABASE_POOL: '2' } })
    const release = await lock(database, 'select 1 from products where id = 1 for update')
    const createOrder = 'mutation { createOrder(input: { userId: "user_1", productIds: ["product_1"] }) { userErrors { code } } }'
    const orders = Array.from({ length: 3 }, () => app.query(createOrder))
    await until(async () => (await waitingStatements(database)).length === 2)

    await database.sql`update products set stock = 4711 where id = 2`
    await until(async () => (await owed()).length === 0)
    expect(await waitingStatements(database)).toHaveLength(2)

    await release()
    for (const { data } of await Promise.all(orders)) expect(data.createOrder.userErrors).toEqual([])
    await app.stop()
  })
})

describe.skipIf(noRedis)('a process that stops with changes in hand', () => {
  let redis: TestRedis
  beforeEach(async () => {
    redis = await startRedis()
  })
  afterEach(() => redis.stop())

  const stockOf = async (app: TestApp, id: number) =>
    (await app.query(`{ product(id: "product_${id}") { stock } }`)).data.product.stock

  test('delays them by its claim; then another process carries them', async () => {
    const app = await startTestApp({ database, redisUrl: redis.url })
    await stockOf(app, 1)
    await database.sql.begin(async (transaction) => {
      await transaction`update products set stock = 4711 where id = 1`
      const claimed = await claimOutboxRows(transaction, { namespaces: ['products'], limit: 10, claimMs: 500 })
      expect(claimed.map(({ entry }) => entry)).toEqual(['product_1'])
    })
    await until(async () => (await stockOf(app, 1)) === 4711)
    await until(async () => (await owed()).length === 0)
    await app.stop()
  })

  test('holds up nobody who has to catch up, even where it locked them, as the version before did', async () => {
    await database.sql`update products set stock = 4711 where id = 1`
    const release = await lock(database, 'select 1 from cache_outbox for update')
    const app = await startTestApp({ database, redisUrl: redis.url })
    expect((await app.query('{ cacheInfo { available } }')).data.cacheInfo.available).toBe(true)
    expect(await stockOf(app, 1)).toBe(4711)
    await release()
    await until(async () => (await owed()).length === 0)
    await app.stop()
  })
})
