import { randomUUID } from 'node:crypto'
import { ensureEventTriggers } from 'cached-resolvers/postgres'
import { afterEach, beforeEach, expect, inject, test } from 'vitest'
import { connect, type Database } from '../../src/platform/database/connection.js'
import { query, startBuiltServer, waitUntilReady } from '../helpers/built.js'
import { createDatabase, type TestDatabase } from '../helpers/database.js'
import { until } from '../helpers/until.js'

let database: TestDatabase
beforeEach(async () => {
  database = await createDatabase()
})
afterEach(() => database.drop())

const pending = () => database.sql<{ namespace: string }[]>`select namespace from cache_outbox order by namespace`
const invalidated = async () => (await pending()).map(({ namespace }) => namespace)

test('processes that start at the same time create them once, and a dropped one is created again', async () => {
  const ensure = () => ensureEventTriggers(database.sql)
  expect(await Promise.all([ensure(), ensure(), ensure()])).toEqual([true, true, true])
  await database.sql`drop event trigger cache_drop`
  expect(await ensure()).toBe(true)
  const triggers = await database.sql`select evtname from pg_event_trigger order by evtname`
  expect(triggers.map(({ evtname }) => evtname)).toEqual(['cache_ddl', 'cache_drop'])
})

test('without the permission to create them, the server starts with a warning; a later start as a superuser creates them for all users', async () => {
  await withOwner(async (url, sql) => {
    const built = startBuiltServer({ DATABASE_URL: url, AUDIT_INTERVAL_MS: '0' })
    try {
      const graphql = await waitUntilReady(built)
      const name = async () => (await query(graphql, '{ product(id: "product_1") { name } }')).data.product.name
      await name()
      expect(built.output().match(/DDL on the tables of the shop will not invalidate .* docs\/operations\.md/g)).toHaveLength(1)
      await sql`update products set name = 'Seen' where id = 1`
      await until(async () => (await name()) === 'Seen')

      const superuser = connectTo(Object.assign(new URL(inject('postgresUrl')), { pathname: new URL(url).pathname }).href)
      expect(await ensureEventTriggers(superuser)).toBe(true)
      await superuser.end()
      await sql`alter table products alter column name type text using 'Retyped'`
      await until(async () => (await name()) === 'Retyped')
    } finally {
      built.child.kill('SIGKILL')
      await built.exited
    }
  })
})

test('swapping in a table of another owner causes a warning, not an error', async () => {
  await withOwner(async (url, sql) => {
    const built = startBuiltServer({ DATABASE_URL: url, AUDIT_INTERVAL_MS: '0' })
    await waitUntilReady(built)
    built.child.kill('SIGKILL')
    await built.exited
    const superuser = connectTo(Object.assign(new URL(inject('postgresUrl')), { pathname: new URL(url).pathname }).href)
    await ensureEventTriggers(superuser)
    await superuser.unsafe(`create table other (like products including all);
      alter table products rename to products_old; alter table other rename to products`)
    expect(await superuser`select 1 from pg_trigger where tgrelid = 'products'::regclass`).toEqual([])
    await superuser.unsafe(`alter table products owner to ${new URL(url).username}`)
    await superuser.end()
    // After the change of owner, the table is followed.
    expect((await sql`select 1 from pg_trigger where tgrelid = 'products'::regclass and not tgisinternal`).length).toBe(5)
  })
})

test('DDL invalidates the namespaces derived from the table, and no others', async () => {
  await ensureEventTriggers(database.sql)
  await database.sql`alter table users add column nickname text`
  expect(await invalidated()).toEqual(['stats', 'users'])
  await database.sql`delete from cache_outbox`
  await database.sql`alter table order_items set (fillfactor = 90)`
  expect(await invalidated()).toEqual(['orders'])
  await database.sql`delete from cache_outbox`
  await database.sql.unsafe('create table reviews (id bigint); alter table reviews add column text text; drop table reviews')
  expect(await invalidated()).toEqual([])
})

test('the shop can be dropped, as a whole and table by table', async () => {
  await ensureEventTriggers(database.sql)
  await database.sql`drop table cache_outbox, order_items`
  await database.sql`drop schema public cascade`
  expect(await database.sql`select 1 from pg_event_trigger`).toEqual([])
})

/** Runs `work` with a database whose owner is not a superuser. */
async function withOwner(work: (url: string, sql: Database) => Promise<void>): Promise<void> {
  const admin = connectTo(inject('postgresUrl'))
  const name = `owner_${randomUUID().replaceAll('-', '')}`
  await admin.unsafe(`create role ${name} login password '${name}'`)
  await admin.unsafe(`create database ${name} owner ${name}`)
  const url = Object.assign(new URL(inject('postgresUrl')), { pathname: name, username: name, password: name }).href
  const sql = connectTo(url)
  try {
    await work(url, sql)
  } finally {
    await sql.end()
    await admin.unsafe(`drop database ${name} with (force)`)
    await admin.unsafe(`drop role ${name}`)
    await admin.end()
  }
}

function connectTo(url: string): Database {
  return connect({ url, maxConnections: 2, statementTimeoutMs: 30_000, connectTimeoutMs: 5_000 })
}
