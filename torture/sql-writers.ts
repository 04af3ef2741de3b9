import { setTimeout as sleep } from 'node:timers/promises'
import type { TransactionSql } from 'postgres'
import { type OutboxRow, ownOutboxRows } from '../packages/cached-resolvers/src/postgres/outbox.js'
import type { Write } from './ledger.js'
import { pickWeighted, type Random } from './random.js'
import {
  buyers,
  categories,
  centsOf,
  emailOf,
  nameOf,
  orderedProducts,
  productCell,
  productCount,
  recreatedProducts,
  recreatedUsers,
  userCell,
  userCount,
} from './shop.js'
import type { World } from './world.js'

/** Makes a random change by SQL, without the API, as psql or another service would. */
export async function writeSqlOnce(world: World, random: Random): Promise<void> {
  const kind = pickWeighted(random, weights)
  world.operations.add(`SQL ${kind}`)
  await writes[kind](world, random)
}

const weights = {
  ...{ 'update product': 6, 'update users': 4, 'move product': 3, 'stock of product': 3, 'delete or insert product': 3 },
  ...{ 'delete or insert user': 2, 'insert order': 3, 'delete order': 1, 'roll back': 1, 'commit slowly': 1 },
  'many statements': 0.3,
}

const writes: Record<keyof typeof weights, (world: World, random: Random) => Promise<void>> = {
  'update product': (world, random) => updateProduct(world, random.skewed(1, productCount)),

  'update users': (world, random) => {
    const first = random.skewed(1, userCount - 3)
    const cells = [first, first + 1, first + 2].slice(0, random.between(1, 3)).map(userCell)
    return commit(world, cells, async (sql, write) => {
      for (const cell of cells) {
        await write(cell, (version) => sql`update users set name = ${nameOf(cell, version)} where id = ${numberIn(cell)}`)
      }
    })
  },

  'move product': (world, random) => {
    const id = random.between(1, productCount)
    return commit(world, [], (sql) => sql`update products set category = ${random.pick(categories)} where id = ${id}`)
  },

  'stock of product': (world, random) => {
    // Sometimes sold out, so that lists of products in stock change
    const [id, stock] = [random.pick(orderedProducts), random.chance(0.2) ? 0 : random.between(500, 100_000)]
    return commit(world, [], (sql) => sql`update products set stock = ${stock} where id = ${id}`)
  },

  'delete or insert product': (world, random) => {
    const id = random.pick(recreatedProducts)
    const category = random.pick(categories)
    return commit(world, [productCell(id)], async (sql, write) => {
      const deletes = await write(productCell(id), () => sql`delete from products where id = ${id}`, 'deletes')
      if (deletes) return
      await write(
        productCell(id),
        (version) => sql`insert into products (id, name, price_cents, stock, category)
          values (${id}, ${nameOf(productCell(id), version)}, ${centsOf(version)}, 100000, ${category})`,
      )
    })
  },

  'delete or insert user': (world, random) => {
    const id = random.pick(recreatedUsers)
    return commit(world, [userCell(id)], async (sql, write) => {
      const deletes = await write(userCell(id), () => sql`delete from users where id = ${id}`, 'deletes')
      if (deletes) return
      await write(
        userCell(id),
        (version) => sql`insert into users (id, email, name) values (${id}, ${emailOf(id)}, ${nameOf(userCell(id), version)})`,
      )
    })
  },

  'insert order': (world, random) => {
    const [user, cents, product] = [random.pick(buyers), random.between(100, 9_999), random.between(0, productCount - 1)]
    return commit(world, [], async (sql) => {
      const [order] = await sql`insert into orders (user_id, total_cents) values (${user}, ${cents}) returning id`
      await sql`
        insert into order_items (order_id, position, product_id, price_cents)
        select ${order?.id}, position, 1 + (${product} + position) % ${productCount}, 100 from generate_series(0, 1) position`
    })
  },

  // Not one of the newest orders: their writers check that they exist.
  'delete order': (world) =>
    commit(
      world,
      [],
      (sql) =>
        sql`delete from orders where id = (select id from orders order by id desc offset 60 limit 1 for update skip locked)`,
    ),

  'roll back': async (world, random) => {
    const id = random.between(1, productCount)
    const pauseMs = random.between(0, 30)
    const undone = world.database.begin(async (sql) => {
      await sql`update products set name = 'rolled back v999999', price_cents = 999999 where id = ${id}`
      await sleep(pauseMs)
      throw new RolledBack()
    })
    await undone.catch((error) => {
      if (!(error instanceof RolledBack)) throw error
    })
  },

  'commit slowly': (world, random) => updateProduct(world, random.skewed(1, productCount), random.between(10, 80)),

  // Like an import: each statement writes separate rows to the outbox.
  'many statements': async (world, random) => {
    const statements = random.between(1_000, 5_000)
    await world.database.begin(async (sql) => {
      await sql`select set_config('torture.statements', ${String(statements)}, true)`
      await sql`do $$ begin
        for number in 1 .. current_setting('torture.statements')::int loop
          update orders set total_cents = 100 + number % 900 where id = 1 + number % 30;
        end loop;
      end $$`
    })
  },
}

class RolledBack extends Error {}

function updateProduct(world: World, id: number, pauseMs = 0): Promise<void> {
  const cell = productCell(id)
  return commit(world, [cell], async (sql, write) => {
    await write(
      cell,
      (version) => sql`update products set name = ${nameOf(cell, version)}, price_cents = ${centsOf(version)} where id = ${id}`,
    )
    if (pauseMs > 0) await sleep(pauseMs)
  })
}

function numberIn(cell: string): number {
  return Number(cell.slice(cell.indexOf('_') + 1))
}

/** Writes the next version of a row. Resolves to whether the row existed. */
type WriteVersion = (
  cell: string,
  statement: (version: number) => PromiseLike<{ count: number }>,
  deletes?: 'deletes',
) => Promise<boolean>

/** Runs a transaction that writes these cells, records the writes in the ledger, and watches the delivery of its outbox rows. */
async function commit(
  world: World,
  cells: readonly string[],
  work: (sql: TransactionSql, write: WriteVersion) => PromiseLike<unknown>,
): Promise<void> {
  const { database, ledger, commits, now } = world
  await ledger.runExclusively(cells, async () => {
    const written: Write[] = []
    const write: WriteVersion = async (cell, statement, deletes) => {
      const begun = ledger.begin(cell, deletes !== undefined)
      const { count } = await statement(begun.version)
      // If the row does not exist, nothing was written, and the version is never acknowledged.
      if (count > 0) written.push(begun)
      return count > 0
    }
    const rows = await database.begin(async (sql): Promise<OutboxRow[]> => {
      await work(sql, write)
      return commits.hasRoom ? await ownOutboxRows(sql) : []
    })
    const committedAt = now()
    ledger.acknowledge(written, committedAt, 'statement')
    if (rows.length > 0)
      commits.watch(
        rows.map(({ id }) => id),
        committedAt,
      )
  })
}
