import type { PendingQuery, Row, TransactionSql } from 'postgres'
import type { Database } from './connection.js'
import { demoCategories, demoFirstNames, demoLastNames } from './demo-catalog.js'

export interface DemoCounts {
  users: number
  products: number
  orders: number
}

type Table = keyof DemoCounts
type Ids = { first: number; last: number }
type InTransaction = (work: (sql: TransactionSql) => Promise<void>) => Promise<unknown>

/** Parent tables come before their child tables. */
const tables: readonly Table[] = ['users', 'products', 'orders']
/**
 * Rows per chunk. A chunk blocks other writers of its table, so it is sized to take about 0.1 s. An order has three items on
 * average.
 */
const chunkSizes: DemoCounts = { users: 10_000, products: 10_000, orders: 2_500 }
const firstStart: DemoCounts = { users: 1_000, products: 500, orders: 250 }
/**
 * Settings for the transaction of a chunk. With asynchronous commit, a power failure may lose the last chunks, but never part of
 * one.
 */
const chunkSettings = [
  ['statement_timeout', '0'],
  ['jit', 'off'],
  ['synchronous_commit', 'off'],
]
/** An arbitrary number, which must be the same in every process */
const lockId = 7_310_427

/**
 * Adds the given number of rows after the existing ones. The content of a row is derived from its id, so equal calls on empty
 * databases create equal data. Throws if orders are requested but there are no users or no products.
 */
export async function loadDemoData(
  database: Database,
  counts: DemoCounts,
  onProgress?: (done: number, total: number) => void,
): Promise<void> {
  await requireParentRows(database, counts)
  await load((work) => database.begin(work), counts, onProgress)
}

/**
 * Adds 1,000 users, 500 products and 250 orders if the database is empty, and returns whether it was. Several processes may call
 * this function at the same time.
 */
export async function loadDemoDataOnce(database: Database): Promise<boolean> {
  return database.begin(async (sql) => {
    await sql`set local statement_timeout = 0`
    await sql`select pg_advisory_xact_lock(${lockId})`
    const [found] = await sql`select exists (table users) or exists (table products) or exists (table orders) as is_filled`
    if (found?.is_filled) return false
    await load((work) => work(sql), firstStart)
    // The load is never repeated, so it must survive a crash of the server right afterwards.
    await sql`set local synchronous_commit = on`
    return true
  })
}

async function requireParentRows(sql: Database, counts: DemoCounts): Promise<void> {
  const [found] = await sql`select exists (table users) as users, exists (table products) as products`
  for (const parent of ['users', 'products'] as const) {
    if (counts.orders > 0 && counts[parent] === 0 && !found?.[parent])
      throw new Error(`Orders need ${parent}, but there are none: add some first`)
  }
}

/** Loads in chunks, so that progress can be shown and caches are invalidated before the last row is inserted. */
async function load(inTransaction: InTransaction, counts: DemoCounts, onProgress?: (done: number, total: number) => void) {
  const total = tables.reduce((sum, table) => sum + counts[table], 0)
  let done = 0
  for (const table of tables) {
    for (let missing = counts[table]; missing > 0; missing -= chunkSizes[table]) {
      const count = Math.min(missing, chunkSizes[table])
      await inTransaction((sql) => insertNext(sql, table, count))
      done += count
      onProgress?.(done, total)
    }
  }
  await inTransaction(updateStatistics)
}

/** Locks the table, so that no other writer uses the same ids. Readers are not blocked. */
async function insertNext(sql: TransactionSql, table: Table, count: number): Promise<void> {
  await sql`select set_config(name, value, true) from (values ${sql(chunkSettings)}) as setting (name, value)`
  await sql`lock table ${sql(table)} in share row exclusive mode`
  const [existing] = await sql`select coalesce(max(id), 0) as last from ${sql(table)}`
  const ids = { first: existing?.last + 1, last: existing?.last + count }
  await inserts[table](sql, ids)
  await sql`
    with sequence as (select pg_get_serial_sequence(${table}, 'id')::regclass as name)
    select setval(name, greatest(${ids.last}::bigint, pg_sequence_last_value(name))) from sequence`
}

const inserts: Record<Table, (sql: TransactionSql, ids: Ids) => PendingQuery<Row[]>> = {
  users: (sql, ids) => sql`
    with drawn as materialized (${hashedIds(sql, ids)}),
    named as (
      select id,
        (${demoFirstNames}::text[])[1 + ${draw(sql, 0)} % ${demoFirstNames.length}] as first_name,
        (${demoLastNames}::text[])[1 + ${draw(sql, 4)} % ${demoLastNames.length}] as last_name
      from drawn
    )
    insert into users (id, email, name, created_at)
    select id, lower(first_name || '.' || last_name || '.' || id || '@example.com'), first_name || ' ' || last_name,
      ${timeOf(sql, '2022-12-31T00:00:00Z')}
    from named`,

  products: (sql, ids) => sql`
    with drawn as materialized (${hashedIds(sql, ids)}),
    category as (
      select * from jsonb_to_recordset(${sql.json(numberedCategories)})
        as (number integer, name text, kinds text[], things text[], min_cents integer, max_cents integer)
    )
    insert into products (id, name, price_cents, stock, category)
    select id,
      kinds[1 + ${draw(sql, 0)} % cardinality(kinds)] || ' ' || things[1 + ${draw(sql, 4)} % cardinality(things)],
      min_cents + ${draw(sql, 8)} % (max_cents - min_cents + 1),
      case when id % 21 = 0 then 0 else 20 + ${draw(sql, 12)} % 481 end,
      category.name
    from drawn join category on category.number = (id - 1) % ${demoCategories.length}`,

  // Ids may have gaps where rows were deleted, so a drawn number selects the first row at or after it. Every tenth of the first
  // thousand orders belongs to the first user, so that one user has more than a page of orders.
  orders: (sql, ids) => sql`
    with drawn as materialized (${hashedIds(sql, ids)}),
    item as materialized (
      select drawn.id as order_id, position, product.id as product_id, product.price_cents
      from drawn
      cross join lateral generate_series(0, get_byte(hash, 1) % 5) as position
      cross join lateral (select case get_byte(hash, 2) % 5 when 0 then position / 2 else position end as choice) as pairs
      cross join lateral (select 1 + ${draw(sql, sql`8 + 4 * choice`)} % (select max(id) from products) as number) as wanted
      cross join lateral (
        select id, price_cents from products where id = number
        union all (select id, price_cents from products where id > number order by id limit 1)
        limit 1
      ) as product
    ),
    placed as (
      insert into orders (id, user_id, total_cents, created_at)
      select id, user_id, cents, ${timeOf(sql, '2024-12-31T00:00:00Z')}
      from drawn
      join (select order_id, sum(price_cents)::bigint as cents from item group by order_id) as total on order_id = id
      cross join lateral (
        select case when id <= 1000 and id % 10 = 1 then 1 else 1 + ${draw(sql, 4)} % (select max(id) from users) end as number
      ) as wanted
      cross join lateral (
        select users.id as user_id from users where users.id = number
        union all (select users.id from users where users.id > number order by users.id limit 1)
        limit 1
      ) as buyer
    )
    insert into order_items (order_id, position, product_id, price_cents)
    select order_id, position, product_id, price_cents from item`,
}

const numberedCategories = demoCategories.map(({ priceCents, ...category }, number) => ({
  ...category,
  number,
  min_cents: priceCents.from,
  max_cents: priceCents.to,
}))

/** SHA-256 is the same on every Postgres, and its 32 bytes provide all the random numbers of a row. */
function hashedIds(sql: TransactionSql, { first, last }: Ids) {
  return sql`select id, sha256(int8send(id)) as hash from generate_series(${first}::bigint, ${last}::bigint) as id`
}

/** A pseudorandom number from 0 to 2^32 - 1: four bytes of the row's hash */
function draw(sql: TransactionSql, firstByte: number | PendingQuery<Row[]>) {
  const byte = typeof firstByte === 'number' ? sql`${firstByte}::integer` : firstByte
  return sql`('x' || encode(substring(hash from 1 + ${byte} for 4), 'hex'))::bit(32)::bigint`
}

/** A creation time that increases with the id and never passes `end` */
function timeOf(sql: TransactionSql, end: string) {
  return sql`${end}::timestamptz - interval '17520 hours' * (1000.0 / (1000 + id))`
}

/** Without new statistics, the planner would assume empty tables until autovacuum runs. */
async function updateStatistics(sql: TransactionSql): Promise<void> {
  await sql`set local statement_timeout = 0`
  await sql`analyze users, products, orders, order_items`
}
