import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../helpers/app.js'
import { createDatabase, type TestDatabase } from '../helpers/database.js'
import { orderCreated, productChanged, subscriber, waitUntilSubscribed, waitUntilSubscribedToOrders } from '../helpers/live.js'
import { noRedis, startRedis, type TestRedis } from '../helpers/redis.js'
import { until } from '../helpers/until.js'

describe.skipIf(noRedis)('two processes with near stores, on one database and one Redis', () => {
  let redis: TestRedis
  let database: TestDatabase
  let apps: [TestApp, TestApp]
  beforeAll(async () => {
    redis = await startRedis()
    database = await createDatabase()
    const start = () => startTestApp({ redisUrl: redis.url, database, env: { CACHE_NEAR_MB: '16' } })
    apps = [await start(), await start()]
  })
  afterAll(async () => {
    for (const app of apps) await app.stop()
    await database.drop()
    await redis.stop()
  })

  test('each sends a change to its subscribers once, with the new value, although both near stores had the old one', async () => {
    const clients = apps.map((app) => subscriber(app, 'WebSocket'))
    // Each also subscribes to its own product, so that begun() causes no events for the other.
    const subscriptions = clients.map((client, index) =>
      client.subscribe(productChanged, { ids: ['product_1', `product_${20 + index}`] }),
    )
    for (const [index, app] of apps.entries())
      await waitUntilSubscribed(app, subscriptions[index] as (typeof subscriptions)[0], 20 + index)
    for (const stock of Array.from({ length: 20 }, (_, index) => index + 1)) {
      for (const { results } of subscriptions) results.length = 0
      // Both near stores have it now.
      for (const app of apps) await app.query('{ product(id: "product_1") { stock name } }')
      await apps[stock % 2]?.query(`mutation { updateProductStock(productId: "product_1", stock: ${stock}) { product { id } } }`)
      for (const subscription of subscriptions) {
        expect((await subscription.take(1)).map((result) => result.data.productChanged.product.stock)).toEqual([stock])
      }
    }
    for (const client of clients) client.close()
  })

  test('send changes while Redis is down, and after it is back', async () => {
    const client = subscriber(apps[1], 'WebSocket')
    const products = client.subscribe(productChanged, { ids: ['product_2'] })
    const orders = client.subscribe(orderCreated, { userId: 'user_3' })
    await waitUntilSubscribed(apps[1], products, 2)
    await waitUntilSubscribedToOrders(apps[1], orders, 3)
    await redis.kill()
    await database.sql`update products set stock = 11 where id = 2`
    expect((await products.take(1))[0]?.data.productChanged.product.stock).toBe(11)
    await database.sql`insert into orders (user_id, total_cents) values (3, 4200)`
    expect((await orders.take(1))[0]?.data.orderCreated.total).toBe(42)
    await redis.start()
    await until(async () => (await apps[1].query('{ cacheInfo { available } }')).data.cacheInfo.available)
    await database.sql`update products set stock = 12 where id = 2`
    expect((await products.take(2))[1]?.data.productChanged.product.stock).toBe(12)
    client.close()
  })

  test('lose no change committed out of order or while their database connections are cut', async () => {
    const client = subscriber(apps[0], 'WebSocket')
    const orders = client.subscribe(orderCreated, { userId: 'user_4' })
    await waitUntilSubscribedToOrders(apps[0], orders, 4)
    const insert = (cents: number) => database.sql`insert into orders (user_id, total_cents) values (4, ${cents})`
    await database.sql.begin(async (transaction) => {
      // Inserted before the next row, but committed after it.
      await transaction`insert into orders (user_id, total_cents) values (4, 100)`
      await insert(200)
      await orders.take(1)
    })
    await orders.take(2)
    const cut = await database.sql`
      select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and pid <> pg_backend_pid() and (query ilike 'listen%' or query like '%live_changes%')`
    expect(cut.length).toBeGreaterThanOrEqual(2)
    await insert(300)
    const results = await orders.take(3)
    expect(results.map((result) => result.data.orderCreated.total)).toEqual([2, 1, 3])
    client.close()
  })
})
