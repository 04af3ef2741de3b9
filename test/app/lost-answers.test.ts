import { afterEach, describe, expect, test } from 'vitest'
import { type BuiltServer, query, startBuiltServer, waitUntilReady } from '../helpers/built.js'
import { createDatabase, type TestDatabase } from '../helpers/database.js'
import { noRedis, startRedis, type TestRedis } from '../helpers/redis.js'
import { until } from '../helpers/until.js'

const createOrder = `mutation {
  createOrder(input: { userId: "user_1", productIds: ["product_1"] }, idempotencyKey: "lost") {
    order { id } replayed userErrors { code }
  }
}`

describe.skipIf(noRedis)('a process that dies between the commit of an order and the answer', () => {
  let redis: TestRedis
  let database: TestDatabase
  const started: BuiltServer[] = []
  afterEach(async () => {
    for (const { child, exited } of started) {
      child.kill('SIGKILL')
      await exited
    }
    await redis.stop()
    await database.drop()
  })

  test('leaves one order: a retry with the same key finds it, and the stock is reduced once', async () => {
    redis = await startRedis()
    database = await createDatabase()
    const start = async () => {
      const built = startBuiltServer({ DATABASE_URL: database.url, REDIS_URL: redis.url, LOG_LEVEL: 'silent' })
      started.push(built)
      return { built, url: await waitUntilReady(built) }
    }
    const first = await start()
    const stock = async () => (await database.sql`select stock from products where id = 1`)[0]?.stock
    const before = await stock()

    // It cannot invalidate the cache, so it does not answer.
    await redis.freeze()
    const lost = query(first.url, createOrder).catch(() => 'no answer')
    await until(async () => (await database.sql`select 1 from idempotency_keys where order_id is not null`).length === 1)
    first.built.child.kill('SIGKILL')
    expect(await lost).toBe('no answer')
    await redis.thaw()

    const second = await start()
    const again = await query(second.url, createOrder)
    const [row] = await database.sql`select max(id) as id, count(*) as count from orders where user_id = 1 and id > 250`
    expect(again.data.createOrder).toEqual({ order: { id: `order_${row?.id}` }, replayed: true, userErrors: [] })
    expect(row?.count).toBe(1)
    expect(await stock()).toBe(before - 1)
  })
})
