import { execFile } from 'node:child_process'
import { access, chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { connect, type Database } from '../../src/platform/database/connection.js'
import { loadDemoData, loadDemoDataOnce } from '../../src/platform/database/demo-data.js'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/platform/database/embedded-postgres.js'
import { migrate } from '../../src/wiring/migrate.js'
import { until } from '../helpers/until.js'

const project = fileURLToPath(new URL('../..', import.meta.url))

let folder: string
let server: EmbeddedPostgres
let database: Database
/** For tests that compare two databases */
let otherDatabase: Database
const opened: Database[] = []

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shop-demo-'))
  await chmod(folder, 0o755)
  server = await startEmbeddedPostgres({ dataDirectory: folder, log: () => {} })
  database = open(server.url)
  await database`create database other`
  otherDatabase = open(Object.assign(new URL(server.url), { pathname: 'other' }).href)
  await Promise.all([migrate(database), migrate(otherDatabase)])
})

afterAll(async () => {
  await Promise.all(opened.map((pool) => pool.end()))
  await server.stop()
  await rm(folder, { recursive: true, force: true })
})

beforeEach(async () => {
  await Promise.all([database, otherDatabase].map((sql) => sql`truncate users, products, cache_outbox restart identity cascade`))
  await Promise.all([database, otherDatabase].map((sql) => sql`delete from cache_outbox`))
})

function open(target: string, statementTimeoutMs = 60_000): Database {
  const pool = connect({ url: target, maxConnections: 3, statementTimeoutMs, connectTimeoutMs: 60_000 })
  opened.push(pool)
  return pool
}

/** The contents of the database as one hash per table */
async function contents(sql: Database): Promise<unknown> {
  const [row] = await sql`
    select (select md5(string_agg(u::text, ';' order by id)) from users u) as users,
      (select md5(string_agg(p::text, ';' order by id)) from products p) as products,
      (select md5(string_agg(o::text, ';' order by id)) from orders o) as orders,
      (select md5(string_agg(i::text, ';' order by order_id, position)) from order_items i) as items`
  return row
}

/** Statements that have been waiting for a lock for at least the given time */
async function waitingFor(sql: Database, time: string): Promise<readonly object[]> {
  return sql`select 1 from pg_stat_activity where wait_event_type = 'Lock' and query_start < clock_timestamp() - ${time}::interval`
}

async function one(sql: Database, statement: string): Promise<Record<string, unknown>> {
  const [row] = await sql.unsafe(statement)
  return { ...row }
}

describe('loadDemoData', () => {
  test('equal calls on empty databases create equal data', async () => {
    const counts = { users: 300, products: 200, orders: 400 }
    await Promise.all([loadDemoData(database, counts), loadDemoData(otherDatabase, counts)])
    expect(await contents(database)).toEqual(await contents(otherDatabase))
  })

  test('ids start at 1, a second call continues after the first, and the next insert after both', async () => {
    await loadDemoData(database, { users: 30, products: 20, orders: 0 })
    await loadDemoData(database, { users: 70, products: 30, orders: 40 })
    await loadDemoData(otherDatabase, { users: 100, products: 50, orders: 40 })
    expect(await contents(database)).toEqual(await contents(otherDatabase))
    expect(await one(database, 'select min(id), max(id), count(*) from users')).toEqual({ min: 1, max: 100, count: 100 })

    expect(await one(database, "insert into users (email, name) values ('a@b.c', 'A') returning id")).toEqual({ id: 101 })
    await loadDemoData(database, { users: 1, products: 0, orders: 0 })
    expect(await one(database, 'select max(id), count(*) from users')).toEqual({ max: 102, count: 102 })
  })

  test('users have plausible names, unique emails at example.com, and creation times in the past', async () => {
    await loadDemoData(database, { users: 2000, products: 0, orders: 0 })
    expect(
      await one(
        database,
        `select count(distinct email) as emails, count(distinct name) > 500 as varied,
          bool_and(email ~ '^[a-z]+\\.[a-z]+\\.\\d+@example\\.com$') as plausible_emails,
          bool_and(name ~ '^[A-Z][a-z]+ [A-Z][a-z]+$') as plausible_names,
          bool_and(created_at < '2023-01-01') as past
        from users`,
      ),
    ).toEqual({ emails: 2000, varied: true, plausible_emails: true, plausible_names: true, past: true })
  })

  test('products have plausible categories, prices and stock', async () => {
    await loadDemoData(database, { users: 0, products: 2000, orders: 0 })
    expect(
      await one(
        database,
        `select count(distinct category) as categories, count(distinct name) > 400 as varied,
          min(price_cents) >= 300 and max(price_cents) <= 90000 as plausible_prices, max(price_cents) > 50000 as some_expensive,
          count(*) filter (where stock = 0) between 50 and 150 as some_sold_out,
          bool_and(stock = 0 or stock between 20 and 500) as plausible_stock
        from products`,
      ),
    ).toEqual({
      categories: 10,
      varied: true,
      plausible_prices: true,
      some_expensive: true,
      some_sold_out: true,
      plausible_stock: true,
    })
  })

  test('orders have one to five units of existing products, and their total is the sum of the prices', async () => {
    await loadDemoData(database, { users: 100, products: 50, orders: 1000 })
    expect(
      await one(
        database,
        `with bill as (
          select order_id, count(*) as units, min(position) as first, max(position) as last, sum(price_cents) as cents,
            count(distinct product_id) as different
          from order_items group by order_id
        )
        select count(*) as orders, bool_and(cents = total_cents) as exact, min(units) as fewest, max(units) as most,
          bool_and(first = 0 and last = units - 1) as in_order, bool_or(different < units) as some_twice,
          (select count(*) from order_items i left join products p on p.id = i.product_id
            where p.id is null or p.price_cents <> i.price_cents) as invalid_items,
          bool_and(created_at > '2023-01-01' and created_at < '2025-01-01') as past
        from orders join bill on order_id = id`,
      ),
    ).toEqual({ orders: 1000, exact: true, fewest: 1, most: 5, in_order: true, some_twice: true, invalid_items: 0, past: true })
  })

  test('the first user has more than a page of orders, the other users have the rest', async () => {
    await loadDemoData(database, { users: 1000, products: 100, orders: 250 })
    const [first, second] = await database`select user_id, count(*) from orders group by user_id order by count(*) desc limit 2`
    expect(first).toEqual({ user_id: 1, count: expect.toSatisfy((count: number) => count >= 25) })
    expect(second?.count).toBeLessThan(6)
  })

  test('deleted products and users do not occur in orders', async () => {
    await loadDemoData(database, { users: 100, products: 100, orders: 0 })
    await database`delete from products where id % 3 > 0 or id > 90`
    await database`delete from users where id < 40 or id % 2 = 0`
    await loadDemoData(database, { users: 0, products: 0, orders: 300 })
    expect(
      await one(
        database,
        `select count(*) as items, count(*) filter (where p.id is null) as missing_products, count(distinct order_id) as orders
        from order_items i left join products p on p.id = i.product_id`,
      ),
    ).toEqual({ items: expect.any(Number), missing_products: 0, orders: 300 })
  })

  test('orders without users or products are refused before any row is added', async () => {
    await expect(loadDemoData(database, { users: 0, products: 5, orders: 5 })).rejects.toThrow(
      'Orders need users, but there are none: add some first',
    )
    await expect(loadDemoData(database, { users: 5, products: 0, orders: 5 })).rejects.toThrow(
      'Orders need products, but there are none: add some first',
    )
    expect(await one(database, 'select count(*) from users')).toEqual({ count: 0 })
    expect(await one(database, 'select count(*) from products')).toEqual({ count: 0 })
  })

  test('progress is reported after every chunk, and the statement timeout of the pool does not apply', async () => {
    const poolWithTimeout = open(server.url, 1000)
    const progress: [number, number][] = []
    const lock = await database.reserve()
    await lock`begin`
    await lock`lock table orders`
    const loaded = loadDemoData(poolWithTimeout, { users: 12_000, products: 10, orders: 3000 }, (...counts) =>
      progress.push(counts),
    )
    await until(async () => (await waitingFor(database, '1.5 s')).length === 1)
    await lock`commit`
    lock.release()
    await loaded
    expect(progress).toEqual([10_000, 12_000, 12_010, 14_510, 15_010].map((done) => [done, 15_010]))
  })

  test('caches are invalidated', async () => {
    await loadDemoData(database, { users: 1, products: 1, orders: 1 })
    const pending = await database`select distinct namespace from cache_outbox order by namespace`
    expect(pending.map((row) => row.namespace)).toEqual(['orders', 'product-lists', 'products', 'stats', 'user-orders', 'users'])
  })
})

describe('loadDemoDataOnce', () => {
  test('if two processes start at the same time, one fills the empty database', async () => {
    const other = open(server.url)
    const loaded = await Promise.all([loadDemoDataOnce(database), loadDemoDataOnce(other)])
    expect(loaded.sort()).toEqual([false, true])
    expect(
      await one(
        database,
        'select (select count(*) from users) users, (select count(*) from products) products, (select count(*) from orders) orders',
      ),
    ).toEqual({ users: 1000, products: 500, orders: 250 })
  })

  test('a database with any data is not changed', async () => {
    await database`insert into users (email, name) values ('a@b.c', 'A')`
    expect(await loadDemoDataOnce(database)).toBe(false)
    expect(await one(database, 'select count(*) from products')).toEqual({ count: 0 })
  })
})

describe('npm run seed', () => {
  /** Runs what npm run seed runs, from the build. */
  function seed(args: string[], env: Record<string, string>) {
    const command = ['dist/commands/seed.js', ...args]
    const ended = promisify(execFile)(process.execPath, command, { cwd: project, env: { ...process.env, ...env } })
    const outcome = ended.then(
      (output) => ({ ...output, code: 0 }),
      ({ code, stdout, stderr }: { code: number; stdout: string; stderr: string }) => ({ code, stdout, stderr }),
    )
    return Object.assign(outcome, { child: ended.child })
  }

  test('adds rows to DATABASE_URL, and prints progress, counts and duration', async () => {
    const { code, stdout, stderr } = await seed(['--users', '4000', '--products', '500', '--orders', '3000'], {
      DATABASE_URL: server.url,
    })
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/4000 of 7500 rows\n(.*\n)*Added 4,000 users, 500 products and 3,000 orders in \d+\.\d s\n$/)
    expect(await one(database, 'select count(*) from orders')).toEqual({ count: 3000 })
  })

  test('without DATABASE_URL, uses the Postgres in DATA_DIR, even if it is running', async () => {
    const { code, stdout } = await seed(['--users', '3'], { DATABASE_URL: '', DATA_DIR: folder })
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining('Using the Postgres that is already running') })
    expect(await one(database, 'select count(*) from users')).toEqual({ count: 3 })
  })

  test('stops the Postgres that it started when it is interrupted', async () => {
    const dataDirectory = join(folder, 'interrupted')
    const running = seed(['--users', '5000000'], { DATABASE_URL: '', DATA_DIR: dataDirectory })
    await vi.waitFor(() => access(join(dataDirectory, 'postgres/data/postmaster.pid')), { timeout: 60_000 })
    running.child.kill('SIGTERM')
    expect(await running).toMatchObject({ code: 143, stderr: 'Stopped by SIGTERM: the rows added so far are kept\n' })
    await expect(access(join(dataDirectory, 'postgres/data/postmaster.pid'))).rejects.toThrow(/ENOENT/)
  })

  test('reports one reason on failure, with the usage for invalid arguments', async () => {
    const refusals: [string[], string][] = [
      [[], 'No number of rows given.'],
      [['--user', '5'], "Unknown option '--user'"],
      [['--users', '-5'], 'Every option takes a whole number from 0.'],
      [['--orders', '1.5'], '--orders takes a whole number from 0, not "1.5".'],
    ]
    const orders = seed(['--orders', '5'], { DATABASE_URL: server.url })
    const outcomes = await Promise.all(refusals.map(([args]) => seed(args, { DATABASE_URL: server.url })))
    expect(outcomes).toEqual(
      refusals.map(([, reason]) => ({
        code: 2,
        stdout: '',
        stderr: expect.stringContaining(`${reason}\n\nUsage: npm run seed -- --users N`),
      })),
    )
    expect(await orders).toMatchObject({ code: 1, stderr: 'Orders need users, but there are none: add some first\n' })
  })
})
