import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { namespaces } from '../../src/shop/entities.js'
import { startTestApp, type TestApp } from '../helpers/app.js'
import { productChanged, subscriber } from '../helpers/live.js'
import { until } from '../helpers/until.js'
import { changeProductsWithoutTriggers } from '../helpers/without-triggers.js'

/** Changes that the statement triggers on the shop's tables do not see. */
describe('the cache is right after', () => {
  let app: TestApp
  beforeEach(async () => {
    app = await startTestApp()
    await settled()
  })
  afterEach(() => app.stop())

  const execute = (statements: string) => app.database.sql.unsafe(statements)
  const inTransaction = (statements: string) => app.database.sql.begin((transaction) => transaction.unsafe(statements))
  const settled = () => until(async () => (await app.database.sql`select 1 from cache_outbox`).length === 0)
  const nameOf = async (id: number) => (await app.query(`{ product(id: "product_${id}") { name } }`)).data.product?.name
  const becomes = (id: number, name: string | undefined) => until(async () => (await nameOf(id)) === name)
  const newest = async () => (await app.query('{ products(first: 1) { nodes { id } } }')).data.products.nodes[0].id

  /** The values of a row, in the order of the columns */
  const row = (id: number, name: string) => `values (${id}, '${name}', 100, 1, 'Books')`

  test('the type of a column was changed with new values', async () => {
    const before = await nameOf(1)
    await execute("alter table products alter column name type text using name || '!'")
    await becomes(1, `${before}!`)
  })

  test('two tables were swapped by name, and the new one was written to', async () => {
    await nameOf(1)
    await execute(`
      create table products_new (like products including all);
      insert into products_new select id, 'New', price_cents, stock, category from products;
      alter table products rename to products_old; alter table products_new rename to products`)
    await becomes(1, 'New')
    await execute("update products set name = 'Newer' where id = 1")
    await becomes(1, 'Newer')
    await execute('delete from products where id = 1')
    await becomes(1, undefined)
    await execute('alter table products rename to products_new; alter table products_old rename to products')
    await until(async () => (await nameOf(1)) !== undefined)
  })

  test('rows were written to an inheriting table, which then left the inheritance', async () => {
    expect(await nameOf(9000)).toBeUndefined()
    await newest()
    await execute(`create table special () inherits (products); insert into special ${row(9000, 'Special')}`)
    await becomes(9000, 'Special')
    await until(async () => (await newest()) === 'product_9000')
    await execute("update special set name = 'Very special'")
    await becomes(9000, 'Very special')
    await execute('alter table special no inherit products')
    await becomes(9000, undefined)
    await execute('alter table special inherit products')
    await becomes(9000, 'Very special')
    await execute('drop table special')
    await becomes(9000, undefined)
  })

  test('a partition was attached, written to, and detached', async () => {
    await nameOf(9000)
    await execute(`
      alter table products rename to products_old;
      create table products (like products_old including defaults) partition by range (id);
      create table products_low partition of products for values from (0) to (9000);
      insert into products select * from products_old`)
    await settled()
    expect(await nameOf(9000)).toBeUndefined()
    await execute(`create table high (like products); insert into high ${row(9000, 'High')}`)
    await execute('alter table products attach partition high for values from (9000) to (10000)')
    await becomes(9000, 'High')
    await execute("update high set name = 'Higher'")
    await becomes(9000, 'Higher')
    await execute("update products set name = 'Highest' where id = 9000")
    await becomes(9000, 'Highest')
    await execute('alter table products detach partition high')
    await becomes(9000, undefined)
  })

  test('rows were written with session_replication_role = replica', async () => {
    const as = (statement: string) => inTransaction(`set local session_replication_role = replica; ${statement}`)
    await nameOf(9000)
    await newest()
    await as(`insert into products ${row(9000, 'Copied')}`)
    await becomes(9000, 'Copied')
    await until(async () => (await newest()) === 'product_9000')
    await as("update products set name = 'Copied twice' where id = 9000")
    await becomes(9000, 'Copied twice')
    await as('delete from products where id = 9000')
    await becomes(9000, undefined)

    const orders = '{ user(id: "user_1") { name orders { totalCount } } order(id: "order_250") { total } stats { totalUsers } }'
    const before = (await app.query(orders)).data
    await as(`insert into orders (user_id, total_cents) values (1, 5); update orders set total_cents = 123 where id = 250;
      update users set name = 'Copied' where id = 1; insert into users (email, name) values ('copied@x.de', 'c')`)
    await until(async () => {
      const { user, order, stats } = (await app.query(orders)).data
      return (
        user.name === 'Copied' &&
        user.orders.totalCount === before.user.orders.totalCount + 1 &&
        order.total === 1.23 &&
        stats.totalUsers === before.stats.totalUsers + 1
      )
    })
    await as('truncate products cascade')
    await becomes(1, undefined)
  })

  test('rows were written while the triggers were disabled, and these were enabled again', async () => {
    await nameOf(1)
    await execute("alter table products disable trigger all; update products set name = 'Off' where id = 1")
    await execute('alter table products enable trigger all')
    await becomes(1, 'Off')
    await execute("drop trigger cache_products_updated on products; update products set name = 'Dropped' where id = 1")
    await becomes(1, 'Dropped')
  })

  test('cache_invalidate() was called for an unseen change: of an entry, a list, or a whole namespace', async () => {
    await nameOf(1)
    await changeProductsWithoutTriggers(app.database, "update products set name = 'Secret' where id = 1")
    expect(await nameOf(1)).not.toBe('Secret')
    await execute("select cache_invalidate('products', 'product_1')")
    await becomes(1, 'Secret')

    await newest()
    await changeProductsWithoutTriggers(app.database, `insert into products ${row(9000, 'Secret')}`)
    expect(await newest()).not.toBe('product_9000')
    await execute("select cache_invalidate('product-lists', 'all')")
    await until(async () => (await newest()) === 'product_9000')
    await execute("select cache_invalidate('users'), cache_invalidate('products')")
    await settled()
    await expect(execute("select cache_invalidate('prodcuts')")).rejects.toMatchObject({
      message: 'There is no namespace "prodcuts"',
      hint: `There are ${namespaces
        .map(({ name }) => name)
        .sort()
        .join(', ')}.`,
    })
  })

  test('and subscribers are notified', async () => {
    const client = subscriber(app, 'WebSocket')
    const subscription = client.subscribe(productChanged, { ids: ['product_1'] })
    await until(async () => {
      await execute("select cache_invalidate('products', 'product_1')")
      return subscription.results.length > 0
    })
    subscription.results.length = 0
    await execute("alter table products alter column name type text using 'Retyped'")
    await until(() => subscription.results.at(-1)?.data.productChanged.product.name === 'Retyped')
    client.close()
  })

  test('changes of unrelated tables invalidate nothing', async () => {
    await execute(
      'create schema elsewhere; create table elsewhere.products (id bigint); create temporary table users (id bigint)',
    )
    await execute('alter table elsewhere.products add column name text; drop table elsewhere.products; drop table users')
    expect(await app.database.sql`select 1 from cache_outbox`).toEqual([])
  })
})
