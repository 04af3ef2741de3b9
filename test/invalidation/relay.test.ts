import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../helpers/app.js'
import { createDatabase, type TestDatabase } from '../helpers/database.js'
import { noRedis, startRedis, type TestRedis } from '../helpers/redis.js'
import { recordRedis } from '../helpers/redis-recording.js'
import { until } from '../helpers/until.js'

describe.each([
  ['in the process', false],
  ['Redis', noRedis],
])('changes made by others reach the cache: %s', (backend, skip) => {
  describe.skipIf(skip)('', () => {
    let redis: TestRedis | undefined
    let database: TestDatabase
    let app: TestApp
    beforeAll(async () => {
      redis = backend === 'Redis' ? await startRedis() : undefined
      database = await createDatabase()
      app = await startTestApp({ database, ...(redis && { redisUrl: redis.url }) })
    })
    afterAll(async () => {
      await app.stop()
      await database.drop()
      await redis?.stop()
    })

    test('an update by psql is visible, and its outbox row is deleted', async () => {
      const product = async () => (await app.query('{ product(id: "product_1") { name } }')).data.product?.name
      await product()
      await database.sql`update products set name = 'Renamed' where id = 1`
      await until(async () => (await product()) === 'Renamed')
      await until(async () => (await database.sql`select 1 from cache_outbox`).length === 0)
    })

    test('an inserted row invalidates the negative entry, and appears in the lists', async () => {
      const product = async () => (await app.query('{ product(id: "product_7777") { id } }')).data.product?.id
      const newest = async () => (await app.query('{ products(first: 1) { nodes { id } } }')).data.products.nodes[0].id
      expect(await product()).toBeUndefined()
      await newest()
      await database.sql`insert into products (id, name, price_cents, stock, category) values (7777, 'p', 1, 1, 'Psql')`
      await until(async () => (await product()) === 'product_7777' && (await newest()) === 'product_7777')
    })

    test('uncommitted changes of another transaction are not visible, and rolling them back changes nothing', async () => {
      const name = async () => (await app.query('{ user(id: "user_1") { name } }')).data.user.name
      const before = await name()
      await database.sql
        .begin(async (transaction) => {
          await transaction`update users set name = 'Never' where id = 1`
          expect(await name()).toBe(before)
          throw new Error('roll back')
        })
        .catch(() => undefined)
      expect(await name()).toBe(before)
    })
  })
})

describe.skipIf(noRedis)('two processes on one database and one Redis', () => {
  test('both see the changes of each other, and every row is delivered once and deleted', async () => {
    const redis = await startRedis()
    const database = await createDatabase()
    const apps = [
      await startTestApp({ redisUrl: redis.url, database }),
      await startTestApp({ redisUrl: redis.url, database }),
    ] as const
    const recording = await recordRedis(redis)

    await database.sql`update products set stock = 1 where id <= 300`
    await until(async () => (await database.sql`select 1 from cache_outbox`).length === 0)
    const removedKeys = (await recording.take()).filter(([name]) => name === 'unlink').flatMap(([, ...keys]) => keys)
    // Without lists of products in stock, which change if the stock was 0
    const removed = removedKeys.filter((key) => key.includes(':products:'))
    expect(removed).toHaveLength(300)
    expect(new Set(removed).size).toBe(300)

    const stock = async (app: TestApp) => (await app.query('{ product(id: "product_9") { stock } }')).data.product.stock
    expect(await stock(apps[0])).toBe(1)
    await apps[1].query('mutation { updateProductStock(productId: "product_9", stock: 77) { product { stock } } }')
    expect(await stock(apps[0])).toBe(77)

    recording.stop()
    for (const app of apps) await app.stop()
    await database.drop()
    await redis.stop()
  })

  test('a mutation invalidates once: its own process delivers the row, and no relay does so again', async () => {
    const redis = await startRedis()
    const app = await startTestApp({ redisUrl: redis.url })
    await app.query('{ product(id: "product_9") { stock } }')
    const recording = await recordRedis(redis)
    // On a busy machine, the relay may deliver the row first, after its delay: try again.
    await until(async () => {
      await app.query('mutation { updateProductStock(productId: "product_9", stock: 5) { product { stock } } }')
      expect(await app.database.sql`select 1 from cache_outbox`).toEqual([])
      return (await recording.take()).filter(([name]) => name === 'unlink').length === 1
    })
    recording.stop()
    await app.stop()
    await redis.stop()
  })
})
