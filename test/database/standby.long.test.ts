import { execFileSync } from 'node:child_process'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connect, type Database } from '../../src/platform/database/connection.js'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/platform/database/embedded-postgres.js'
import { startTestApp, type TestApp } from '../helpers/app.js'
import { startProxy, type TestProxy } from '../helpers/proxy.js'
import { until } from '../helpers/until.js'

let folder: string
let primary: EmbeddedPostgres
let standby: EmbeddedPostgres
let proxy: TestProxy
let sql: Database
/** Stops everything started, even if a later start fails */
const stops: (() => Promise<unknown>)[] = []

const portOf = ({ url }: EmbeddedPostgres) => Number(new URL(url).port)
const start = async (name: string) => {
  const postgres = await startEmbeddedPostgres({ dataDirectory: join(folder, name), log: () => {} })
  stops.push(() => postgres.stop())
  return postgres
}
const open = (url: string) => connect({ url, maxConnections: 1, statementTimeoutMs: 60_000, connectTimeoutMs: 60_000 })

/** Creates a standby from a copy of the primary. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shop-standby-'))
  stops.push(() => rm(folder, { recursive: true }))
  await chmod(folder, 0o755)
  await (await start('primary')).stop()
  // -a preserves the owner.
  execFileSync('cp', ['-a', join(folder, 'primary'), join(folder, 'standby')])
  primary = await start('primary')
  const data = join(folder, 'standby/postgres/data')
  await writeFile(join(data, 'standby.signal'), '')
  await writeFile(join(data, 'postgresql.auto.conf'), `primary_conninfo = '${primary.url}'\n`)
  standby = await start('standby')
  proxy = await startProxy(portOf(primary))
  stops.push(() => proxy.stop())
  sql = open(primary.url)
  stops.push(() => sql.end())
})
afterAll(async () => {
  for (const stop of stops.reverse()) await stop()
})

test('an app whose address temporarily resolves to a standby reports an outage, and recovers when it resolves to the primary', async () => {
  const url = Object.assign(new URL(primary.url), { port: proxy.port }).href
  const app = await startTestApp({ database: { url, sql, drop: async () => {} } })
  const setStock = (stock: number) =>
    app.query(`mutation { updateProductStock(productId: "product_1", stock: ${stock}) { product { stock } } }`)
  const isDone = async (stock: number) => (await setStock(stock)).data?.updateProductStock?.product.stock === stock
  expect(await isDone(1)).toBe(true)

  proxy.cut()
  proxy.redirectTo(portOf(standby))
  proxy.restore()
  await until(async () => (await setStock(2)).errors?.[0]?.extensions.code === 'SERVICE_UNAVAILABLE')
  await until(async () => (await statusOf(app, '/readyz')) === 503)
  // No reads from the standby: it may be older than previous responses.
  expect((await app.query('{ product(id: "product_9") { id } }')).errors).toMatchObject([
    { extensions: { code: 'SERVICE_UNAVAILABLE' } },
  ])

  proxy.redirectTo(portOf(primary))
  await until(() => isDone(3), 10_000)
  await until(async () => (await statusOf(app, '/readyz')) === 200, 10_000)
  await sql`update products set stock = 4 where id = 1`
  await until(async () => (await app.query('{ product(id: "product_1") { stock } }')).data.product.stock === 4, 10_000)
  await app.stop()
})

test('a start with a standby is refused, with the reason', async () => {
  const starting = startTestApp({ database: { url: standby.url, sql, drop: async () => {} } })
  await expect(starting).rejects.toThrow(/DATABASE_URL .*This server is a standby, not the primary/)
})

async function statusOf(app: TestApp, path: string): Promise<number> {
  const response = await fetch(`${app.origin}${path}`)
  await response.text()
  return response.status
}
