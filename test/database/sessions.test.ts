import { execFileSync, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer, connect as dial, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { TLSSocket } from 'node:tls'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { connect, type Database } from '../../src/platform/database/connection.js'
import { startTestApp, type TestApp } from '../helpers/app.js'
import { createDatabase, type TestDatabase } from '../helpers/database.js'
import { until } from '../helpers/until.js'

const portOf = (server: Server) => (server.address() as { port: number }).port

describe('an app on a database with other session defaults', () => {
  let database: TestDatabase
  let app: TestApp
  beforeAll(async () => {
    database = await createDatabase()
    const defaults = {
      datestyle: 'SQL, DMY',
      intervalstyle: 'sql_standard',
      timezone: 'America/St_Johns',
      bytea_output: 'escape',
      extra_float_digits: '-15',
      array_nulls: 'off',
      standard_conforming_strings: 'off',
      default_transaction_isolation: 'serializable',
      default_transaction_deferrable: 'on',
      lock_timeout: '1ms',
      idle_in_transaction_session_timeout: '1ms',
    }
    const [{ name }] = await database.sql<[{ name: string }]>`select current_database() as name`
    for (const [setting, value] of Object.entries(defaults)) {
      await database.sql.unsafe(`alter database ${name} set ${setting} = '${value}'`)
    }
    app = await startTestApp({ database })
  })
  afterAll(async () => {
    await app.stop()
    await database.drop()
  })

  test('returns correct dates', async () => {
    await database.sql`update orders set created_at = '2024-01-02T03:04:05.678Z' where id = 1`
    await until(async () => (await app.query('{ order(id: "order_1") { createdAt } }')).data.order.createdAt.startsWith('2024'))
    const { data } = await app.query('{ order(id: "order_1") { createdAt } user(id: "user_7") { createdAt } }')
    const [user] = await database.sql<[{ at: number }]>`
      select (extract(epoch from created_at) * 1000)::bigint as at from users where id = 7`
    expect(data).toEqual({
      order: { createdAt: '2024-01-02T03:04:05.678Z' },
      user: { createdAt: new Date(user.at).toISOString() },
    })
  })

  test('places 40 orders of the same product at once', async () => {
    await database.sql`update products set stock = 40 where id = 1`
    const order = 'mutation { createOrder(input: { userId: "user_1", productIds: ["product_1"] }) { userErrors { code } } }'
    const answers = await Promise.all(Array.from({ length: 40 }, () => app.query(order)))
    expect(answers.filter(({ errors, data }) => errors || data.createOrder.userErrors.length > 0)).toEqual([])
    expect(await database.sql`select stock from products where id = 1`).toEqual([{ stock: 0 }])
  })
})

test('on a read-only database an app reads and reports the outage, and writes again as soon as it can', async () => {
  const app = await startTestApp()
  const { sql } = app.database
  const [{ name }] = await sql<[{ name: string }]>`select current_database() as name`
  const setStock = (stock: number) =>
    app.query(`mutation { updateProductStock(productId: "product_1", stock: ${stock}) { product { stock } } }`)
  await sql.unsafe(`alter database ${name} set default_transaction_read_only = on`)
  // Terminates all connections of the app, which reconnects
  await sql`
    select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`
  await until(async () => (await setStock(41)).errors?.[0]?.extensions.code === 'SERVICE_UNAVAILABLE')
  expect((await app.query('{ product(id: "product_2") { id } }')).data.product).toEqual({ id: 'product_2' })

  await sql.begin('read write', (transaction) => transaction.unsafe(`alter database ${name} reset default_transaction_read_only`))
  await until(async () => (await setStock(42)).data?.updateProductStock?.product.stock === 42, 10_000)
  // The relay works again, too.
  await until(async () => {
    await sql.begin('read write', (transaction) => transaction`update products set stock = 43 where id = 1`)
    return (await app.query('{ product(id: "product_1") { stock } }')).data.product.stock === 43
  })
  await until(async () => (await sql`select 1 from cache_outbox`).length === 0)
  await app.stop()
})

test('a proxy that closes connections immediately is reported immediately', async () => {
  const proxy = createServer((socket) => socket.end()).listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  const sql = open(`postgres://shop@127.0.0.1:${portOf(proxy)}/shop`)
  await expect(sql`select 1`).rejects.toThrow(/closed the connection/)
  await sql.end()
  proxy.close()
})

const noOpenssl = spawnSync('openssl', ['version']).status !== 0
if (noOpenssl) process.stdout.write('\nSKIPPED: TLS to Postgres, because openssl is needed to create a certificate.\n')

describe.skipIf(noOpenssl)('TLS', () => {
  let folder: string
  let database: TestDatabase
  let proxy: Server
  let names: string[]
  let isDirect: boolean
  let sql: Database
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'shop-tls-'))
    const files = { key: join(folder, 'key.pem'), cert: join(folder, 'cert.pem') }
    execFileSync(
      'openssl',
      [
        ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-subj', '/CN=localhost'],
        ...['-keyout', files.key, '-out', files.cert],
      ],
      { stdio: 'ignore' },
    )
    const [key, cert] = await Promise.all([readFile(files.key), readFile(files.cert)])
    database = await createDatabase()
    proxy = createServer((client) => {
      if (isDirect) return forward(client, { key, cert })
      client.once('data', () => {
        client.write('S')
        forward(client, { key, cert })
      })
      return undefined
    })
    proxy.listen(0, 'localhost')
    await once(proxy, 'listening')
  })
  afterEach(() => sql.end())
  afterAll(async () => {
    proxy.close()
    await database.drop()
    await rm(folder, { recursive: true })
  })

  /** Acts as a proxy that routes by host name: closes connections without SNI. */
  function forward(client: Socket, identity: { key: Buffer; cert: Buffer }): void {
    const secured = new TLSSocket(client, {
      ...{ ...identity, isServer: true, ALPNProtocols: ['postgresql'] },
      SNICallback: (name, callback) => {
        names.push(name)
        callback(null)
      },
    })
    secured.on('error', () => undefined)
    secured.once('secure', () => {
      if (secured.servername !== 'localhost') return secured.destroy()
      const target = dial(Number(new URL(database.url).port), '127.0.0.1')
      return secured.pipe(target).pipe(secured)
    })
  }

  function openWith(parameters: string): Database {
    names = []
    isDirect = parameters.includes('direct')
    const url = new URL(database.url)
    sql = open(`postgres://shop:${url.password}@localhost:${portOf(proxy)}${url.pathname}?${parameters}`)
    return sql
  }

  test.each(['sslmode=require', 'ssl=prefer', 'sslmode=require&sslnegotiation=direct'])(
    'sends the host name: %s',
    async (parameters) => {
      expect(await openWith(parameters)`select 1 as one`).toEqual([{ one: 1 }])
      expect(names).toContain('localhost')
    },
  )

  test('refuses an untrusted certificate if the URL requires verification', async () => {
    await expect(openWith('sslmode=verify-full')`select 1`).rejects.toThrow(/self-signed certificate/)
  })
})

test.each([
  ['required', 'require', /does not support TLS/],
  ['preferred', 'prefer', null],
])('a server without TLS, if TLS is %s', async (_, mode, refusal) => {
  const database = await createDatabase()
  const sql = open(`${database.url}?sslmode=${mode}`)
  if (refusal) await expect(sql`select 1`).rejects.toThrow(refusal)
  else expect(await sql`select 1 as one`).toEqual([{ one: 1 }])
  await sql.end()
  await database.drop()
})

function open(url: string): Database {
  return connect({ url, maxConnections: 1, statementTimeoutMs: 60_000, connectTimeoutMs: 60_000, responseTimeoutMs: 60_000 })
}
