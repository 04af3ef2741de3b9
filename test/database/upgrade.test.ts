import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ensureEventTriggers } from 'cached-resolvers/postgres'
import { expect, test } from 'vitest'
import { applyMigrations } from '../../src/platform/database/apply-migrations.js'
import { migrate } from '../../src/wiring/migrate.js'
import { startTestApp } from '../helpers/app.js'
import { createDatabase, type TestDatabase } from '../helpers/database.js'
import { until } from '../helpers/until.js'

const firstRelease = (file: string) => !file.endsWith('.sql') || /\/000[123]-[a-z-]+\.sql$/.test(file)
const secondRelease = () => true

/** A database of an earlier release with an undelivered change */
async function databaseOf(release: (file: string) => boolean): Promise<TestDatabase> {
  const database = await createDatabase()
  await database.sql.unsafe('drop event trigger if exists cache_ddl; drop event trigger if exists cache_drop').simple()
  await database.sql.unsafe('drop schema public cascade; create schema public').simple()
  const folder = await mkdtemp(join(tmpdir(), 'shop-migrations-'))
  // The current migrations and those that were replaced
  for (const migrations of ['src/platform/database/migrations', 'test/database/earlier-migrations'])
    await cp(migrations, folder, { recursive: true, filter: release })
  await applyMigrations(database.sql, pathToFileURL(`${folder}/`))
  await rm(folder, { recursive: true })
  await database.sql`insert into users (email, name) values ('a@shop.example', 'A')`
  await database.sql`insert into products (name, price_cents, stock, category) values ('P', 100, 100, 'C')`
  await database.sql`insert into orders (user_id, total_cents) values (1, 100)`
  return database
}

const contentOf = ({ sql }: TestDatabase) => sql`
  select pg_get_triggerdef(t.oid) as definition, tgenabled from pg_trigger t where not tgisinternal
  union all select pg_get_functiondef(p.oid), null from pg_proc p where pronamespace = 'public'::regnamespace
  union all select concat_ws(' ', table_name, column_name, data_type, is_nullable, column_default), null
    from information_schema.columns where table_schema = 'public'
  union all select indexdef, null from pg_indexes where schemaname = 'public'
  order by 1, 2`

test.each([
  ['the first', firstRelease],
  ['the second', secondRelease],
])(
  'a database of %s release is upgraded to the schema of a new one, without losing pending invalidations',
  async (_, release) => {
    const old = await databaseOf(release)
    const fresh = await createDatabase()
    try {
      const pending = await old.sql`select namespace, entry, list from cache_outbox order by id`
      expect(pending.length).toBeGreaterThan(5)
      await Promise.all([migrate(old.sql), migrate(old.sql)])
      const contents = await Promise.all([contentOf(old), contentOf(fresh)])
      expect(contents[0]).toEqual(contents[1])
      expect(await old.sql`select namespace, entry, list from cache_outbox order by id limit ${pending.length}`).toEqual(pending)
      await ensureEventTriggers(old.sql)

      const app = await startTestApp({ database: old, env: { DEMO_DATA: 'false' } })
      const nameOf = async () => (await app.query('{ product(id: "product_1") { name } stats { totalProducts } }')).data
      expect(await nameOf()).toEqual({ product: { name: 'P' }, stats: { totalProducts: 1 } })
      await until(async () => (await old.sql`select 1 from cache_outbox`).length === 0)
      await old.sql`update products set name = 'Q' where id = 1`
      await until(async () => (await nameOf()).product.name === 'Q')
      await old.sql`alter table products alter column name type text using 'R'`
      await until(async () => (await nameOf()).product.name === 'R')
      await app.stop()
    } finally {
      await old.drop()
      await fresh.drop()
    }
  },
)

test('a process of the first release works next to the new one: its changes are recorded once, with the requested delay', async () => {
  const database = await databaseOf(firstRelease)
  try {
    await migrate(database.sql)
    await database.sql`delete from cache_outbox`
    await database.sql.begin(async (transaction) => {
      await transaction`select set_config('shop.relay_delay', '300 milliseconds', true)`
      await transaction`update products set stock = 3 where id = 1`
    })
    const rows = await database.sql`
      select namespace, entry, due_at - written_at > interval '250 milliseconds' as is_delayed from cache_outbox`
    expect(rows).toEqual([{ namespace: 'products', entry: 'product_1', is_delayed: true }])
    // The statement of its relay
    const claimed = await database.sql`
      delete from cache_outbox where id in (select id from cache_outbox order by id limit 500 for update skip locked)
      returning id, namespace, entry, list, transaction_id`
    expect(claimed).toHaveLength(1)
    expect(await database.sql`select kind, ids from live_changes where ids = '{1}' order by id desc limit 1`).toEqual([
      { kind: 'product', ids: [1] },
    ])
  } finally {
    await database.drop()
  }
})

test('a process of the second release can start again: it has nothing to migrate, and its event triggers work', async () => {
  const database = await createDatabase()
  try {
    await applyMigrations(database.sql, pathToFileURL(`${resolve('test/database/earlier-migrations')}/`))
    await database.sql`
      create event trigger shop_ddl on ddl_command_end when tag in ('ALTER TABLE') execute function shop_ddl()`
    await database.sql`create event trigger shop_dropped on sql_drop execute function shop_dropped()`
    await database.sql`delete from cache_outbox`
    await database.sql`alter table users add column nickname text`
    const rows = await database.sql`select distinct namespace from cache_outbox order by namespace`
    expect(rows.map(({ namespace }) => namespace)).toEqual(['stats', 'users'])
  } finally {
    await database.drop()
  }
})
