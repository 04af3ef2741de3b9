import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../helpers/app.js'
import { createDatabase, type TestDatabase } from '../helpers/database.js'
import { lock, waitingStatements } from '../helpers/locks.js'
import { pgbouncer, startPgbouncer } from '../helpers/pgbouncer.js'
import { until } from '../helpers/until.js'

describe.skipIf(pgbouncer === null)('behind PgBouncer', () => {
  let database: TestDatabase
  let pooler: Awaited<ReturnType<typeof startPgbouncer>>
  beforeAll(async () => {
    database = await createDatabase()
  })
  afterEach(() => pooler.stop())
  afterAll(() => database.drop())

  const start = (): Promise<TestApp> =>
    startTestApp({ database: { ...database, url: pooler.url }, env: { DATABASE_TIMEOUT_MS: '1000' } })

  test('in session mode, an app reads, writes and follows changes, and its statements time out', async () => {
    pooler = await startPgbouncer(database.url, 'session')
    const app = await start()
    const stock = async () => (await app.query('{ product(id: "product_1") { stock } }')).data.product?.stock
    await app.query('mutation { updateProductStock(productId: "product_1", stock: 41) { product { stock } } }')
    expect(await stock()).toBe(41)
    await database.sql`update products set stock = 42 where id = 1`
    await until(async () => (await stock()) === 42)

    const release = await lock(database, 'lock table products in access exclusive mode')
    const { errors } = await app.query('{ product(id: "product_2") { id } }')
    expect(errors).toMatchObject([{ extensions: { code: 'SERVICE_UNAVAILABLE' } }])
    await until(async () => (await waitingStatements(database)).length === 0)
    await release()
    await app.stop()
  })

  test('in session mode, an app recovers after its sessions were terminated', async () => {
    pooler = await startPgbouncer(database.url, 'session')
    const app = await start()
    await database.sql`select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and datname = current_database()`
    await until(async () => {
      const { data } = await app.query('mutation { updateProductStock(productId: "product_3", stock: 7) { product { stock } } }')
      return data?.updateProductStock?.product.stock === 7
    })
    await app.stop()
  })

  test('in transaction mode, the start is refused, with the remedy', async () => {
    pooler = await startPgbouncer(database.url, 'transaction')
    await expect(start()).rejects.toThrow(/DATABASE_URL is the address of a pooler that shares sessions .* session mode/)
  })
})
