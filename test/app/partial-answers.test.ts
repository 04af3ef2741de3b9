import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Answer, startTestApp, type TestApp } from '../helpers/app.js'

describe('with a missing table, as after a failed migration', () => {
  let app: TestApp
  beforeAll(async () => {
    app = await startTestApp()
    await app.database.sql`alter table products rename to products_away`
  })
  afterAll(() => app.stop())

  test('only the fields that need it are null, each with its path and a masked error', async () => {
    const { data, errors = [] } = await app.query(
      '{ order(id: "order_1") { id total user { id } products { id } } user(id: "user_1") { id } product(id: "product_1") { id } }',
    )
    const { products, ...order } = data.order
    expect(order).toEqual({ id: 'order_1', total: expect.any(Number), user: { id: expect.any(String) } })
    expect(products.length).toBeGreaterThan(0)
    expect(new Set(products)).toEqual(new Set([null]))
    expect(data.user).toEqual({ id: 'user_1' })
    expect(data.product).toBe(null)
    const paths = [['product'], ...products.map((_: null, index: number) => ['order', 'products', index])]
    expect(pathsOf({ errors })).toEqual(paths.map((path) => path.join('.')).sort())
    for (const { message, extensions } of errors) {
      expect(message).toBe('Internal server error: the server log has the details under the request id')
      expect(extensions).toEqual({ code: 'INTERNAL_SERVER_ERROR', requestId: expect.any(String) })
    }
  })

  test('the cache counts are answered', async () => {
    const { data, errors } = await app.query('{ stats { cacheHitRate caches { hits } } cacheInfo { available } }')
    expect(errors).toBeUndefined()
    expect(data.stats.caches.length).toBeGreaterThan(0)
  })

  test('a non-null list of its rows makes the whole answer null', async () => {
    const { data, errors } = await app.query('{ user(id: "user_1") { id } products { totalCount } }')
    expect(data).toBe(null)
    expect(errors).toMatchObject([{ path: ['products', 'totalCount'], extensions: { code: 'INTERNAL_SERVER_ERROR' } }])
  })
})

describe('with a table locked for longer than the statement timeout', () => {
  let app: TestApp
  beforeAll(async () => {
    app = await startTestApp({ env: { DATABASE_TIMEOUT_MS: '2000' } })
  })
  afterAll(() => app.stop())

  const queryWhileLocked = (table: string, document: string) =>
    app.database.sql.begin(async (sql) => {
      await sql.unsafe(`lock table ${table} in access exclusive mode`)
      return app.query(document)
    })

  test.each([
    {
      table: 'users',
      document: '{ order(id: "order_1") { id user { id } products { id } } }',
      stands: { order: { id: 'order_1', user: null, products: expect.arrayContaining([{ id: expect.any(String) }]) } },
      failed: ['order.user'],
    },
    {
      table: 'orders',
      document:
        '{ order(id: "order_2") { id } user(id: "user_1") { id } other: user(id: "user_2") { id orders { totalCount } } }',
      stands: { order: null, user: { id: 'user_1' }, other: null },
      failed: ['order', 'other.orders.totalCount'],
    },
  ])('$table: the rest of the answer is there, and the code tells to try again', async ({ table, document, stands, failed }) => {
    const answer = await queryWhileLocked(table, document)
    expect(answer.data).toEqual(stands)
    expect(pathsOf(answer)).toEqual(failed)
    for (const { extensions } of answer.errors ?? []) {
      expect(extensions).toEqual({ code: 'SERVICE_UNAVAILABLE', requestId: expect.any(String) })
    }
  })
})

test('the products of createProducts come from the statement that wrote them: no read after the commit can fail', async () => {
  const app = await startTestApp()
  app.takeStatements()
  const input = '{ name: "New", price: 1.25, stock: 1, category: "Books" }'
  const { data } = await app.query(
    `mutation { createProducts(inputs: [${input}]) { products { name price stock category } userErrors { code } } }`,
  )
  expect(data.createProducts.products).toEqual([{ name: 'New', price: 1.25, stock: 1, category: 'Books' }])
  expect(app.takeStatements()).toEqual([expect.stringContaining('insert into products')])
  await app.stop()
})

function pathsOf({ errors }: Pick<Answer<unknown>, 'errors'>): string[] {
  return (errors ?? []).map(({ path }) => (path ?? []).join('.')).sort()
}
