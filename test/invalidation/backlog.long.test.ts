import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { startTestApp } from '../helpers/app.js'
import { createDatabase, type TestDatabase } from '../helpers/database.js'
import { until } from '../helpers/until.js'

let database: TestDatabase
beforeEach(async () => {
  database = await createDatabase()
})
afterEach(() => database.drop())

const countOutboxRows = async () => (await database.sql`select count(*) from cache_outbox`)[0]?.count

describe('a backlog of 100,000 rows, as left by an outage or the previous version', () => {
  const leaveBacklog = () => database.sql`
    insert into cache_outbox (namespace, entry, list)
    select case n % 3 when 0 then 'orders' when 1 then 'user-orders' else 'stats' end,
      case n % 3 when 0 then 'order_' || n end, case n % 3 when 1 then 'user_' || n % 100 when 2 then 'totals' end
    from generate_series(1, 100000) n`

  test('delays neither a start nor later commits, and is deleted completely', async () => {
    await leaveBacklog()
    const app = await startTestApp({ database })
    expect(await countOutboxRows()).toBe(0)
    const stock = async () => (await app.query('{ product(id: "product_1") { stock } }')).data.product.stock
    await stock()
    // As autovacuum does while the outbox is empty: the planner then expects no rows in it, whatever its size.
    await database.sql`vacuum (truncate false) cache_outbox`
    await leaveBacklog()
    await database.sql`update products set stock = 4711 where id = 1`
    await until(async () => (await stock()) === 4711)
    await until(async () => (await countOutboxRows()) === 0)
    await app.stop()
  })

  test('is deleted, too, if it was restored from a server with higher transaction ids', async () => {
    await leaveBacklog()
    await database.sql`update cache_outbox set transaction_id = '9000000000'`
    const app = await startTestApp({ database })
    expect(await countOutboxRows()).toBe(0)
    await app.stop()
  })
})
