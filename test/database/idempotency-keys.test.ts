import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { ISql } from 'postgres'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { applyMigrations } from '../../src/platform/database/apply-migrations.js'
import { connect } from '../../src/platform/database/connection.js'
import { migrate } from '../../src/wiring/migrate.js'
import { startTestApp, type TestApp } from '../helpers/app.js'
import { createDatabase, type TestDatabase } from '../helpers/database.js'
import { until } from '../helpers/until.js'

const migration = '0010-idempotency-keys.sql'
let database: TestDatabase
let app: TestApp
/** A migrated database with keys of the version before the migration, which continues to run next to the new one */
beforeAll(async () => {
  database = await createDatabase()
  await database.sql.unsafe('drop schema public cascade; create schema public').simple()
  const folder = await mkdtemp(join(tmpdir(), 'shop-migrations-'))
  await cp('src/platform/database/migrations', folder, { recursive: true, filter: (file) => !file.endsWith(migration) })
  const pool = connect({ url: database.url, maxConnections: 1, statementTimeoutMs: 60_000, connectTimeoutMs: 60_000 })
  await applyMigrations(pool, pathToFileURL(`${folder}/`))
  await rm(folder, { recursive: true })
  await pool`insert into users (email, name) values ('a@shop.example', 'A'), ('b@shop.example', 'B')`
  await pool`insert into products (name, price_cents, stock, category) values ('P', 100, 100, 'C')`
  await oldOrder({ key: 'recent' })
  await oldOrder({ key: 'expired' })
  await pool`update idempotency_keys set created_at = now() - interval '8 days' where key = 'expired'`
  await migrate(pool)
  await pool.end()
  app = await startTestApp({ database, env: { DEMO_DATA: 'false' } })
})
afterAll(async () => {
  await app.stop()
  await database.drop()
})

interface OldOrder {
  key: string
  inputHash?: string
  user?: number
  sql?: ISql
  whileClaimed?: () => Promise<void>
}

/** The statements that the previous version runs for createOrder, and its result */
async function oldOrder({ key, inputHash = 'old', user = 1, sql = database.sql, whileClaimed = async () => {} }: OldOrder) {
  const claimed = await sql`insert into idempotency_keys (key, input_hash) values (${key}, ${inputHash}) on conflict do nothing`
  if (claimed.count === 0) {
    const [used] = await sql`select order_id, input_hash from idempotency_keys where key = ${key}`
    return used?.input_hash === inputHash ? `replayed order_${used.order_id}` : 'IDEMPOTENCY_KEY_REUSED'
  }
  await whileClaimed()
  const [order] = await sql`insert into orders (user_id, total_cents) values (${user}, 100) returning id`
  await sql`update idempotency_keys set order_id = ${order?.id} where key = ${key}`
  return `made order_${order?.id}`
}

async function order(user: number, key: string) {
  const input = `{ userId: "user_${user}", productIds: ["product_1"] }`
  const document = `mutation { createOrder(input: ${input}, idempotencyKey: "${key}") { order { id } replayed userErrors { code } } }`
  return (await app.query(document)).data.createOrder
}

const made = { order: { id: expect.any(String) }, replayed: false, userErrors: [] }
const reused = { order: null, replayed: false, userErrors: [{ code: 'IDEMPOTENCY_KEY_REUSED' }] }
const ordersOf = async (key: string) =>
  database.sql`select user_id from idempotency_keys where key = ${key} and order_id is not null order by user_id`

test('keys from before the migration belong to the customers of their orders', async () => {
  expect(await ordersOf('recent')).toEqual([{ user_id: 1 }])
  expect(await order(1, 'recent')).toEqual(reused)
  expect(await order(2, 'recent')).toEqual(made)
})

test('keys expire after 7 days, including those from before the migration', async () => {
  expect(await order(1, 'expired')).toEqual(made)
  for (const key of ['six days', 'eight days']) await order(1, key)
  await database.sql`
    update idempotency_keys set created_at = now() - case key when 'six days' then interval '6 days' else interval '8 days' end
    where key like '% days'`
  const next = await startTestApp({ database, env: { DEMO_DATA: 'false' } })
  await until(async () => (await ordersOf('eight days')).length === 0)
  await next.stop()
  expect(await order(1, 'six days')).toMatchObject({ replayed: true })
  expect(await order(1, 'eight days')).toEqual(made)
})

test('a process of the previous version places no second order for a key, whichever version used it first', async () => {
  const first = await oldOrder({ key: 'old first' })
  expect(await oldOrder({ key: 'old first' })).toBe(first.replace('made', 'replayed'))
  expect(await order(1, 'old first')).toEqual(reused)
  expect(await ordersOf('old first')).toEqual([{ user_id: 1 }])

  const { order: placed } = await order(1, 'new first')
  const [row] = await database.sql`select input_hash from idempotency_keys where key = 'new first'`
  expect(await oldOrder({ key: 'new first', inputHash: row?.input_hash })).toBe(`replayed ${placed.id}`)
  expect(await oldOrder({ key: 'new first', user: 2 })).toBe('IDEMPOTENCY_KEY_REUSED')
})

test('both versions at once place one order per key and customer', async () => {
  const old = await database.sql.reserve()
  await old`begin`
  let others: unknown
  const whileClaimed = async () => {
    others = await order(2, 'at once')
  }
  expect(await oldOrder({ key: 'at once', sql: old, whileClaimed })).toContain('made')
  expect(others).toEqual(made)
  const second = order(1, 'at once')
  await until(
    async () => (await database.sql`select 1 from pg_locks where not granted and locktype = 'transactionid'`).length > 0,
  )
  await old`commit`
  old.release()
  expect(await second).toEqual(reused)
  expect(await order(2, 'at once')).toEqual({ ...(others as object), replayed: true })
})
