import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createDatabase, type TestDatabase } from '../helpers/database.js'

/** The rows that triggers insert for changes made by others than this API. */
describe('the outbox', () => {
  let database: TestDatabase
  beforeAll(async () => {
    database = await createDatabase()
  })
  afterAll(() => database.drop())

  async function recorded(statement: string): Promise<string[]> {
    await database.sql`delete from cache_outbox`
    await database.sql.unsafe(statement)
    const rows = await database.sql`select namespace, entry, list from cache_outbox`
    return rows.map(({ namespace, entry, list }) => [namespace, entry ?? list ?? '*'].join(' ')).sort()
  }

  test.each([
    ['update users set name = $$x$$ where id = 3', ['users user_3']],
    [
      "insert into users (id, email, name) values (9001, 'a@x.de', 'a'), (9002, 'b@x.de', 'b')",
      ['stats *', 'users user_9001', 'users user_9002'],
    ],
    ['update users set id = 9003 where id = 9002', ['users user_9002', 'users user_9003']],
    ['delete from users where id > 9000', ['stats *', 'users user_9001', 'users user_9003']],
    ['update products set stock = stock + 1 where id in (1, 2)', ['products product_1', 'products product_2']],
    [
      "insert into products (id, name, price_cents, stock, category) values (9001, 'p', 1, 1, 'New')",
      [
        ...['product-lists all', 'product-lists all by price_cents 0', 'product-lists all price 0'],
        ...['product-lists category:New', 'product-lists category:New by price_cents 0', 'product-lists category:New price 0'],
        ...['products product_9001', 'stats *'],
      ],
    ],
    [
      'update products set stock = 0, name = $$z$$ where id = 9001',
      [
        ...['product-lists all by name', 'product-lists all where inStock'],
        ...['product-lists category:New by name', 'product-lists category:New where inStock', 'products product_9001'],
      ],
    ],
    [
      "update products set category = 'Newer' where id = 9001",
      [
        ...['product-lists category:New', 'product-lists category:New by price_cents 0', 'product-lists category:New price 0'],
        ...['product-lists category:Newer', 'product-lists category:Newer by price_cents 0'],
        ...['product-lists category:Newer price 0', 'products product_9001'],
      ],
    ],
    [
      'delete from products where id = 9001',
      [
        ...['product-lists all', 'product-lists all by price_cents 0', 'product-lists all price 0'],
        ...['product-lists category:Newer', 'product-lists category:Newer by price_cents 0'],
        ...['product-lists category:Newer price 0', 'products product_9001', 'stats *'],
      ],
    ],
    [
      'insert into orders (id, user_id, total_cents) values (9001, 5, 100)',
      ['orders order_9001', 'stats *', 'user-orders user_5'],
    ],
    [
      'update orders set user_id = 6 where id = 9001',
      ['orders order_9001', 'stats *', 'user-orders user_5', 'user-orders user_6'],
    ],
    [
      'update orders set total_cents = total_cents + 1 where id = 9001',
      ['orders order_9001', 'stats *', 'user-orders user_6 by total_cents'],
    ],
    ['insert into order_items values (9001, 0, 1, 100), (9001, 1, 1, 100)', ['orders order_9001']],
    ['delete from orders where id = 9001', ['orders order_9001', 'orders order_9001', 'stats *', 'user-orders user_6']],
    ['update users set name = name where false', []],
  ])('%s', async (statement, expected) => {
    expect(await recorded(statement)).toEqual(expected)
  })

  test('a statement that changes more than 500 rows invalidates the whole namespace', async () => {
    expect(await recorded('update users set name = name')).toEqual(['users *'])
    expect(await recorded('update orders set total_cents = total_cents')).toHaveLength(250 + 1)
  })

  const updates = (first: number, last: number) =>
    `for i in ${first}..${last} loop update users set name = 'x' where id = i; end loop;`

  test('a transaction that changes more than 500 rows, in any number of statements, invalidates the whole namespace once', async () => {
    const rows = await recorded(`do $$ begin ${updates(1, 1000)} update products set stock = 1 where id = 3; end $$`)
    expect(rows.filter((row) => row.startsWith('users'))).toHaveLength(501)
    expect(rows.filter((row) => row === 'users *')).toHaveLength(1)
    expect(rows).toContain('products product_3')
  })

  test('changes rolled back to a savepoint do not count, and later changes are recorded', async () => {
    const rolledBack = (statements: string) => `begin ${statements} raise 'no'; exception when others then end;`
    expect(
      await recorded(
        `do $$ begin ${updates(1, 2)} ${rolledBack(updates(3, 600))} ${updates(601, 602)} ${rolledBack(updates(603, 1000))} end $$`,
      ),
    ).toEqual(['users user_1', 'users user_2', 'users user_601', 'users user_602'])
  })

  test('every transaction starts its own count, even if the session has set one', async () => {
    await database.sql`delete from cache_outbox`
    const session = await database.sql.reserve()
    await session.unsafe(`do $$ begin ${updates(1, 501)} end $$`)
    await session`delete from cache_outbox`
    await session`select set_config(${`cache.noted_${createHash('md5').update('users').digest('hex')}`}, '1 1000', false)`
    await session`update users set name = 'y' where id = 7`
    session.release()
    expect(await database.sql`select namespace, entry from cache_outbox`).toEqual([{ namespace: 'users', entry: 'user_7' }])
  })

  test('TRUNCATE invalidates everything', async () => {
    expect(await recorded('truncate order_items')).toEqual(['orders *'])
    const everything = ['orders *', 'product-lists *', 'products *', 'stats *', 'user-orders *', 'users *']
    expect(await recorded('truncate users, products cascade')).toEqual(expect.arrayContaining(everything))
  })

  test('a change that is rolled back leaves no rows', async () => {
    expect(
      await recorded("do $$ begin update users set name = 'y' where id = 1; raise 'no'; exception when others then end $$"),
    ).toEqual([])
  })
})
