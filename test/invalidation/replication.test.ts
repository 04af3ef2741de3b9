import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { connect, type Database } from '../../src/platform/database/connection.js'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/platform/database/embedded-postgres.js'
import { migrate } from '../../src/wiring/migrate.js'
import { startTestApp, type TestApp } from '../helpers/app.js'
import { productChanged, subscriber } from '../helpers/live.js'
import { until } from '../helpers/until.js'

describe('an app on a database that logical replication writes to', () => {
  let folder: string
  let server: EmbeddedPostgres
  let source: Database
  let copy: Database
  let app: TestApp
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'shop-replication-'))
    await chmod(folder, 0o755)
    const start = () => startEmbeddedPostgres({ dataDirectory: folder, log: () => {} })
    const withoutLogicalWal = await start()
    const sql = open(withoutLogicalWal.url)
    await sql`alter system set wal_level = logical`
    await sql.end()
    await withoutLogicalWal.stop()

    server = await start()
    source = open(server.url)
    await source`create database copy`
    const copyUrl = Object.assign(new URL(server.url), { pathname: 'copy' }).href
    copy = open(copyUrl)
    for (const database of [source, copy]) await migrate(database)
    app = await startTestApp({ database: { url: copyUrl, sql: copy, drop: async () => {} }, env: { DEMO_DATA: 'false' } })
  })
  afterAll(async () => {
    await app.stop()
    for (const database of [source, copy]) await database.end()
    await server.stop()
    await rm(folder, { recursive: true, force: true })
  })

  test('reads the initial copy and every later change, and notifies subscribers', async () => {
    const product = async (id: number) => (await app.query(`{ product(id: "product_${id}") { name } }`)).data.product?.name
    const newest = async () => (await app.query('{ products(first: 1) { nodes { id } } }')).data.products.nodes[0]?.id
    expect([await product(1), await product(2), await newest()]).toEqual([undefined, undefined, undefined])
    await source`insert into products (id, name, price_cents, stock, category) values (1, 'Copied', 100, 1, 'Books')`

    await source`create publication shop for table users, products, orders, order_items`
    // Created beforehand: on a single server, creating the slot together with the subscription would deadlock.
    await source`select pg_create_logical_replication_slot('shop', 'pgoutput')`
    await copy.unsafe(
      `create subscription shop connection '${server.url}' publication shop with (slot_name = 'shop', create_slot = false)`,
    )
    await until(async () => (await product(1)) === 'Copied' && (await newest()) === 'product_1')

    await source`insert into products (id, name, price_cents, stock, category) values (2, 'New', 100, 1, 'Books')`
    await until(async () => (await product(2)) === 'New' && (await newest()) === 'product_2')
    const client = subscriber(app, 'WebSocket')
    const subscription = client.subscribe(productChanged, { ids: ['product_2'] })
    await until(async () => {
      await source`update products set stock = stock + 1 where id = 2`
      return subscription.results.length > 0
    })
    await source`update products set name = 'Renamed' where id = 2`
    await until(() => subscription.results.at(-1)?.data.productChanged.product.name === 'Renamed')
    client.close()
    await source`delete from products where id = 2`
    await until(async () => (await product(2)) === undefined && (await newest()) === 'product_1')
    await copy`drop subscription shop`
  })
})

function open(url: string): Database {
  return connect({ url, maxConnections: 2, statementTimeoutMs: 10_000, connectTimeoutMs: 5_000 })
}
