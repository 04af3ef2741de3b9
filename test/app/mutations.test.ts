import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { TestApp } from '../helpers/app.js'
import { backends } from '../helpers/backends.js'
import { post, postBody } from '../helpers/post.js'

const userErrors = 'userErrors { code message field }'
const documents = {
  createUser: `mutation ($input: CreateUserInput!) { createUser(input: $input) { user { id email name } ${userErrors} } }`,
  updateUser: `mutation ($input: UpdateUserInput!) { updateUser(input: $input) { user { id email name } ${userErrors} } }`,
  deleteUser: `mutation ($id: ID!) { deleteUser(id: $id) { deletedUserId ${userErrors} } }`,
  createProducts: `mutation ($inputs: [CreateProductInput!]!) {
    createProducts(inputs: $inputs) { products { id name price stock category } ${userErrors} } }`,
  updateProductStock: `mutation ($productId: ID!, $stock: Int!) {
    updateProductStock(productId: $productId, stock: $stock) { product { id stock } ${userErrors} } }`,
  deleteCategory: `mutation ($category: String!) { deleteCategory(category: $category) { deletedCount ${userErrors} } }`,
  createOrder: `mutation ($userId: ID!, $productIds: [ID!]!, $key: String) {
    createOrder(input: { userId: $userId, productIds: $productIds }, idempotencyKey: $key) {
      order { id userId productIds total user { id } products { id stock } } replayed ${userErrors} } }`,
  warmUpCache: `mutation ($namespaces: [CacheNamespace!], $limit: Int) {
    warmUpCache(namespaces: $namespaces, limit: $limit) { warmed { namespace entries } } }`,
  flushCache: 'mutation ($namespace: CacheNamespace!) { flushCache(namespace: $namespace) { namespace } }',
}

const totals = 'stats { totalUsers totalProducts totalOrders revenue }'
/** Ids that no row can have, and one that no row has */
const unknownIds = (kind: string) =>
  ['', 'x', '1', kind, `${kind}_`, `${kind}_0`, `${kind}_-1`, `${kind}_01`, `${kind}_1x`].concat([
    `${kind}_1.0`,
    `${kind}_1\u0000`,
    `${kind}_1 or 1=1`,
    `${kind.toUpperCase()}_1`,
    'order_1',
    `${kind}_${'9'.repeat(30)}`,
    `${kind}_987654321`,
  ])

function invalid(field: string[], message: unknown = expect.any(String)) {
  return { code: 'INVALID', message, field }
}

describe.each(backends)('with the cache %s:', (_, { skip, start }) => {
  describe.skipIf(skip)('', () => {
    let app: TestApp
    beforeAll(async () => {
      app = await start()
    })
    afterAll(() => app.stop())

    /** The payload of the document's mutation */
    async function run(name: keyof typeof documents, variables: Record<string, unknown>) {
      const { data, errors } = await app.query(documents[name], variables)
      expect(errors).toBeUndefined()
      return data[name]
    }

    /** Reads until everything is cached, so that a missing invalidation would be visible. */
    async function warm(document: string, variables?: Record<string, unknown>) {
      await app.query(document, variables)
      app.takeStatements()
      const { data, errors } = await app.query(document, variables)
      expect(errors).toBeUndefined()
      expect(app.takeStatements()).toEqual([])
      return data
    }

    async function read(document: string, variables?: Record<string, unknown>) {
      const { data, errors } = await app.query(document, variables)
      expect(errors).toBeUndefined()
      return data
    }

    let made = 0
    async function addUser(): Promise<{ id: string; email: string; name: string }> {
      made += 1
      const { user } = await run('createUser', { input: { email: `made-${made}@example.com`, name: `Made ${made}` } })
      return user
    }

    async function addProducts(...inputs: { price?: number; stock?: number; category?: string }[]): Promise<string[]> {
      const complete = inputs.map((input, index) => ({ name: `Made ${index}`, price: 1, stock: 100, category: 'Made', ...input }))
      const { products } = await run('createProducts', { inputs: complete })
      return products.map(({ id }: { id: string }) => id)
    }

    async function addProduct(input: { price?: number; stock?: number; category?: string } = {}): Promise<string> {
      return (await addProducts(input))[0] as string
    }

    function order(userId: string, productIds: string[], key?: string | null) {
      return run('createOrder', { userId, productIds, ...(key !== undefined && { key }) })
    }

    async function stocks(...ids: string[]): Promise<number[]> {
      const data = await read('query ($ids: [ID!]!) { nodes(ids: $ids) { ... on Product { stock } } }', { ids })
      return data.nodes.map(({ stock }: { stock: number }) => stock)
    }

    /** The numbers of rows in the database, and the total stock */
    async function contents() {
      const [row] = await app.database.sql`
        select (select count(*) from users) as users, (select count(*) from products) as products,
          (select sum(stock) from products) as stock, (select count(*) from orders) as orders,
          (select count(*) from order_items) as items, (select count(*) from idempotency_keys) as keys`
      return row
    }

    async function expectNoChange<T>(work: () => Promise<T>): Promise<T> {
      const before = await contents()
      const result = await work()
      expect(await contents()).toEqual(before)
      return result
    }

    /** The id that the next row of this kind will get */
    async function nextId(kind: 'user' | 'product' | 'order'): Promise<string> {
      const [row] = await app.database.sql`select last_value + 1 as next from ${app.database.sql(`${kind}s_id_seq`)}`
      return `${kind}_${row?.next}`
    }

    describe('createOrder', () => {
      test.each([
        [[0.1, 0.2], 0.3],
        [[1.1, 1.1, 1.1], 3.3],
        [[19.99, 0.01], 20],
        [[0], 0],
        [[1_000_000, 0.01], 1_000_000.01],
        [Array(100).fill(0.07), 7],
      ])('sums whole cents: %j is %d', async (prices, total) => {
        const { id } = await addUser()
        const placed = await order(id, await addProducts(...prices.map((price) => ({ price }))))
        expect(placed.order.total).toBe(total)
        expect((await read('query ($id: ID!) { order(id: $id) { total } }', { id: placed.order.id })).order.total).toBe(total)
      })

      test('reduces the stock for every occurrence of a product, and returns the remaining stock', async () => {
        const { id: userId } = await addUser()
        const [a, b] = (await addProducts({ price: 2.5, stock: 5 }, { price: 1, stock: 1 })) as [string, string]
        await warm('query ($ids: [ID!]!) { nodes(ids: $ids) { ... on Product { stock } } }', { ids: [a, b] })
        const placed = await order(userId, [a, b, a, a])
        expect(placed).toEqual({
          order: {
            ...{ id: expect.stringMatching(/^order_\d+$/), userId, user: { id: userId } },
            ...{ productIds: [a, b, a, a], total: 8.5 },
            products: [
              { id: a, stock: 2 },
              { id: b, stock: 0 },
              { id: a, stock: 2 },
              { id: a, stock: 2 },
            ],
          },
          replayed: false,
          userErrors: [],
        })
        const document = 'query ($id: ID!) { order(id: $id) { id userId productIds total user { id } products { id stock } } }'
        expect((await read(document, { id: placed.order.id })).order).toEqual(placed.order)
      })

      test('is visible immediately in everything cached: the pages of its user, their length, the totals, itself', async () => {
        const { id: userId } = await addUser()
        const productId = await addProduct({ price: 12.34 })
        const older = (await order(userId, [productId])).order.id
        const document = `query ($userId: ID!, $next: ID!) {
          user(id: $userId) { newest: orders(first: 1) { ...found } oldest: orders(last: 1) { ...found } orders { totalCount } }
          node(id: $next) { id }
          ${totals}
        }
        fragment found on OrderConnection { nodes { id } pageInfo { hasNextPage hasPreviousPage } }`
        const variables = { userId, next: await nextId('order') }
        const before = await warm(document, variables)
        expect(before.node).toBe(null)

        const { id } = (await order(userId, [productId, productId])).order
        expect(id).toBe(variables.next)
        expect(await read(document, variables)).toEqual({
          user: {
            newest: { nodes: [{ id }], pageInfo: { hasNextPage: true, hasPreviousPage: false } },
            oldest: { nodes: [{ id: older }], pageInfo: { hasNextPage: false, hasPreviousPage: true } },
            orders: { totalCount: 2 },
          },
          node: { id },
          stats: {
            ...before.stats,
            totalOrders: before.stats.totalOrders + 1,
            revenue: Math.round(100 * (before.stats.revenue + 24.68)) / 100,
          },
        })
      })

      test('leaves the pages of other users in the cache', async () => {
        const { id: other } = await addUser()
        const document = 'query ($other: ID!) { user(id: $other) { orders { nodes { id } totalCount } } }'
        await warm(document, { other })
        await order((await addUser()).id, [await addProduct()])
        app.takeStatements()
        await read(document, { other })
        expect(app.takeStatements()).toEqual([])
      })

      test('reports the remaining units at the first product that lacks stock, and takes none', async () => {
        const { id: userId } = await addUser()
        const [two, one, none, enough] = (await addProducts({ stock: 2 }, { stock: 1 }, { stock: 0 }, {})) as [
          string,
          string,
          string,
          string,
        ]
        const placed = await expectNoChange(() => order(userId, [two, enough, two, one, two, two, one, none, none]))
        const soldOut = (message: string, index: string) => ({
          code: 'OUT_OF_STOCK',
          message,
          field: ['input', 'productIds', index],
        })
        expect(placed).toEqual({
          order: null,
          replayed: false,
          userErrors: [
            soldOut(`Only 2 units of Made 0 (${two}) are left`, '4'),
            soldOut(`Only 1 unit of Made 1 (${one}) is left`, '6'),
            soldOut(`Made 2 (${none}) is out of stock`, '7'),
          ],
        })
        expect(await stocks(two, one, none, enough)).toEqual([2, 1, 0, 100])
      })

      test('is refused for absent users', async () => {
        const productId = await addProduct()
        await expectNoChange(async () => {
          for (const userId of unknownIds('user')) {
            expect(await order(userId, [productId])).toEqual({
              order: null,
              replayed: false,
              userErrors: [{ code: 'NOT_FOUND', message: `There is no user ${userId}`, field: ['input', 'userId'] }],
            })
          }
        })
      })

      test('is refused for absent products, with one error for each', async () => {
        const productId = await addProduct()
        await expectNoChange(async () => {
          for (const unknown of unknownIds('product')) {
            const placed = await order('user_1', [productId, unknown, productId, unknown])
            expect(placed).toEqual({
              order: null,
              replayed: false,
              userErrors: [{ code: 'NOT_FOUND', message: `There is no product ${unknown}`, field: ['input', 'productIds', '1'] }],
            })
          }
        })
      })

      test('reports all errors at once', async () => {
        const empty = await addProduct({ stock: 0 })
        const { userErrors } = await order('user_0', ['product_0', empty])
        expect(userErrors).toMatchObject([
          { code: 'NOT_FOUND', field: ['input', 'userId'] },
          { code: 'NOT_FOUND', field: ['input', 'productIds', '0'] },
          { code: 'OUT_OF_STOCK', field: ['input', 'productIds', '1'] },
        ])
      })

      test('has from 1 to 100 units', async () => {
        const { id: userId } = await addUser()
        const productId = await addProduct()
        const field = ['input', 'productIds']
        await expectNoChange(async () => {
          const { userErrors: tooFew } = await order(userId, [])
          expect(tooFew).toEqual([invalid(field, 'productIds must name at least one product')])
          const { userErrors: tooMany } = await order(userId, Array(101).fill(productId))
          expect(tooMany).toEqual([invalid(field, 'productIds must name at most 100 units')])
        })
        expect((await order(userId, Array(100).fill(productId))).order.productIds).toHaveLength(100)
        expect(await stocks(productId)).toEqual([0])
      })

      test('7 of 20 concurrent orders for the last 7 units succeed', async () => {
        const { id: userId } = await addUser()
        const productId = await addProduct({ stock: 7 })
        const placed = await Promise.all(Array.from({ length: 20 }, () => order(userId, [productId])))
        expect(new Set(placed.flatMap(({ order }) => order?.id ?? [])).size).toBe(7)
        const refused = placed.filter(({ order }) => order === null)
        expect(refused).toHaveLength(13)
        for (const { userErrors } of refused) expect(userErrors).toMatchObject([{ code: 'OUT_OF_STOCK' }])
        expect(await stocks(productId)).toEqual([0])
        const document = 'query ($id: ID!) { user(id: $id) { orders { totalCount nodes { productIds } } } }'
        const { user } = await read(document, { id: userId })
        expect(user.orders).toEqual({ totalCount: 7, nodes: Array(7).fill({ productIds: [productId] }) })
      })

      test('concurrent orders of the same products in different order all succeed', async () => {
        const { id: userId } = await addUser()
        const ids = await addProducts({}, {}, {}, {})
        const backwards = ids.toReversed()
        const placed = await Promise.all(Array.from({ length: 40 }, (_, index) => order(userId, index % 2 ? ids : backwards)))
        expect(placed.flatMap(({ userErrors }) => userErrors)).toEqual([])
        expect(await stocks(...ids)).toEqual([60, 60, 60, 60])
      })

      test('and a concurrent deletion of its product are serialized', async () => {
        for (let round = 0; round < 5; round += 1) {
          const { id } = await addUser()
          const category = `Contested ${round}`
          const productId = await addProduct({ category })
          const [placed, deleted, { deletedCount }] = await Promise.all([
            order(id, [productId]),
            run('deleteUser', { id }),
            run('deleteCategory', { category }),
          ])
          expect(deletedCount).toBe(1)
          const codes = [...placed.userErrors, ...deleted.userErrors].map(({ code }) => code)
          if (placed.order) expect(codes).toEqual(['IN_USE'])
          else expect(codes.every((code) => code === 'NOT_FOUND')).toBe(true)
        }
      })

      test('keeps the prices at the time of the order', async () => {
        const { id: userId } = await addUser()
        const productId = await addProduct({ price: 5 })
        const { id } = (await order(userId, [productId])).order
        await app.database.sql`update products set price_cents = 900 where id = ${Number(productId.split('_')[1])}`
        await run('flushCache', { namespace: 'ORDERS' })
        expect((await read('query ($id: ID!) { order(id: $id) { total } }', { id })).order.total).toBe(5)
        expect((await order(userId, [productId])).order.total).toBe(9)
      })
    })

    describe('createOrder with an idempotencyKey', () => {
      let keys = 0
      const newKey = () => `key ${++keys}`

      test('a retry returns the same order, and the stock is reduced once', async () => {
        const { id: userId } = await addUser()
        const productId = await addProduct({ stock: 2 })
        const key = newKey()
        const first = await order(userId, [productId, productId], key)
        expect(first).toMatchObject({ replayed: false, userErrors: [] })
        // The stock is 0 now: a new order would be refused.
        await expectNoChange(async () => {
          for (const _ of [1, 2]) expect(await order(userId, [productId, productId], key)).toEqual({ ...first, replayed: true })
        })
      })

      test('a retry after its product was deleted returns the order without the product', async () => {
        const { id: userId } = await addUser()
        const productId = await addProduct({ category: 'Short-lived' })
        const key = newKey()
        const { order: placed } = await order(userId, [productId], key)
        await run('deleteCategory', { category: 'Short-lived' })
        expect(await order(userId, [productId], key)).toEqual({
          order: { ...placed, products: [null] },
          replayed: true,
          userErrors: [],
        })
      })

      test('ten concurrent requests create one order', async () => {
        const { id: userId } = await addUser()
        const productId = await addProduct()
        const key = newKey()
        const placed = await Promise.all(Array.from({ length: 10 }, () => order(userId, [productId], key)))
        expect(new Set(placed.map(({ order }) => order.id)).size).toBe(1)
        expect(placed.filter(({ replayed }) => !replayed)).toHaveLength(1)
        expect(await stocks(productId)).toEqual([99])
      })

      test('belongs to its customer: others may use the same key for their own orders', async () => {
        const [{ id: userId }, { id: otherId }] = [await addUser(), await addUser()]
        const [a, b] = (await addProducts({}, {})) as [string, string]
        const key = newKey()
        const first = await order(userId, [a], key)
        const second = await order(otherId, [b], key)
        expect(second).toMatchObject({ order: { userId: otherId, productIds: [b] }, replayed: false, userErrors: [] })
        await expectNoChange(async () => {
          expect(await order(userId, [a], key)).toEqual({ ...first, replayed: true })
          expect(await order(otherId, [b], key)).toEqual({ ...second, replayed: true })
        })
      })

      test('is refused for any other input under the same key', async () => {
        const { id: userId } = await addUser()
        const [a, b] = (await addProducts({}, {})) as [string, string]
        const key = newKey()
        await order(userId, [a, b], key)
        const userErrors = [
          {
            code: 'IDEMPOTENCY_KEY_REUSED',
            message: 'This idempotencyKey was used for another order',
            field: ['idempotencyKey'],
          },
        ]
        await expectNoChange(async () => {
          for (const products of [[b, a], [a], [a, b, b]]) {
            expect(await order(userId, products, key)).toEqual({ order: null, replayed: false, userErrors })
          }
          for (const unknown of ['user_0', 'user_987654321']) {
            expect((await order(unknown, [a, b], key)).userErrors).toMatchObject([{ code: 'NOT_FOUND' }])
          }
        })
      })

      test('a refused order does not use up the key', async () => {
        const { id: userId } = await addUser()
        const productId = await addProduct({ stock: 0 })
        const key = newKey()
        const refused = await order(userId, [productId], key)
        expect(refused.userErrors).toMatchObject([{ code: 'OUT_OF_STOCK' }])
        expect((await order(userId, ['product_0'], key)).userErrors).toMatchObject([{ code: 'NOT_FOUND' }])
        await run('updateProductStock', { productId, stock: 1 })
        expect(await order(userId, [productId], key)).toMatchObject({ order: { productIds: [productId] }, replayed: false })
      })

      test.each([
        ['', 'idempotencyKey must not be blank'],
        [' \t ', 'idempotencyKey must not be blank'],
        ['k'.repeat(256), 'idempotencyKey must have at most 255 characters'],
        ['a\u0000b', 'idempotencyKey must not contain control characters'],
      ])('%j is refused', async (key, message) => {
        const productId = await addProduct()
        const { order: placed, userErrors } = await expectNoChange(() => order('user_1', [productId], key))
        expect(placed).toBe(null)
        expect(userErrors).toEqual([invalid(['idempotencyKey'], message)])
      })

      test('may be 255 characters of any script; null means no key', async () => {
        const { id: userId } = await addUser()
        const productId = await addProduct()
        for (const key of ['k'.repeat(255), 'ключ 🔑', "'; drop table orders; --"]) {
          const { order: placed } = await order(userId, [productId], key)
          expect(await order(userId, [productId], key)).toMatchObject({ order: { id: placed.id }, replayed: true })
        }
        const once = await order(userId, [productId], null)
        const twice = await order(userId, [productId], null)
        expect(twice).toMatchObject({ replayed: false })
        expect(twice.order.id).not.toBe(once.order.id)
      })
    })

    describe('createProducts', () => {
      const good = { name: 'Good', price: 1, stock: 1, category: 'Good' }

      test('creates up to 500, returned in the order of the input', async () => {
        const inputs = Array.from({ length: 500 }, (_, index) => ({ ...good, name: `Good ${index}`, price: index / 100 }))
        const { products, userErrors } = await run('createProducts', { inputs })
        expect(userErrors).toEqual([])
        expect(products).toEqual(inputs.map((input) => ({ ...input, id: expect.any(String) })))
        const numbers = products.map(({ id }: { id: string }) => Number(id.split('_')[1]))
        expect(numbers).toEqual(numbers.map((_: number, index: number) => numbers[0] + index))
      })

      test('refuses an empty list', async () => {
        const payload = await expectNoChange(() => run('createProducts', { inputs: [] }))
        expect(payload).toEqual({ products: [], userErrors: [invalid(['inputs'], 'inputs must name at least one product')] })
      })

      test.each([
        ['price', 1.234, 'price must have at most two decimals'],
        ['price', 0.001, 'price must have at most two decimals'],
        ['price', 1.005, 'price must have at most two decimals'],
        ['price', -0.01, 'price must not be negative'],
        ['price', 1_000_000.01, 'price must be at most 1000000'],
        ['price', 1e9, 'price must be at most 1000000'],
        ['price', 1e300, 'price must be at most 1000000'],
        ['stock', -1, 'stock must not be negative'],
        ['name', '', 'name must not be blank'],
        ['name', ' \u00a0 ', 'name must not be blank'],
        ['name', 'x'.repeat(201), 'name must have at most 200 characters'],
        ['name', 'a\u0000b', 'name must not contain control characters'],
        ['name', 'half an emoji \ud83d', 'name must be valid Unicode'],
        ['category', '', 'category must not be blank'],
        ['category', 'x'.repeat(101), 'category must have at most 100 characters'],
        ['category', 'a\nb', 'category must not contain control characters'],
      ])('makes none where one of many has the %s %j', async (field, value, message) => {
        const inputs = [good, good, good, { ...good, [field]: value }, good]
        const payload = await expectNoChange(() => run('createProducts', { inputs }))
        expect(payload).toEqual({ products: [], userErrors: [invalid(['inputs', '3', field], message)] })
      })

      test('reports all errors at once', async () => {
        const inputs = [{ ...good, name: '', stock: -1 }, good, { ...good, price: 1.001, category: '' }]
        const { userErrors } = await run('createProducts', { inputs })
        expect(userErrors.map(({ field }: { field: string[] }) => field.join('.'))).toEqual([
          ...['inputs.0.name', 'inputs.0.stock', 'inputs.2.price', 'inputs.2.category'],
        ])
      })

      test('keeps prices exactly', async () => {
        const prices = [0, 0.01, 0.07, 0.29, 1.1, 19.99, 1.15, 4.35, 8.2, 64.1, 1009.21, 999_999.99, 1_000_000]
        const ids = await addProducts(...prices.map((price) => ({ price })))
        await run('flushCache', { namespace: 'PRODUCTS' })
        const { nodes } = await read('query ($ids: [ID!]!) { nodes(ids: $ids) { ... on Product { price } } }', { ids })
        expect(nodes).toEqual(prices.map((price) => ({ price })))
      })

      test('refuses a price that is not a number', async () => {
        const bad = ['1e400', '"1"', '"NaN"', 'null', 'true', '[1]', '{}']
        await expectNoChange(async () => {
          for (const price of bad) {
            const inputs = `[{ "name": "Bad", "price": ${price}, "stock": 1, "category": "Bad" }]`
            const { status, errors } = await postBody(
              app,
              `{ "query": ${JSON.stringify(documents.createProducts)}, "variables": { "inputs": ${inputs} } }`,
            )
            expect({ price, status, code: errors?.[0]?.extensions.code }).toEqual({ price, status: 400, code: 'BAD_USER_INPUT' })
          }
          for (const price of ['NaN', '"1"', 'null', 'Infinity']) {
            const input = `{ name: "Bad", price: ${price}, stock: 1, category: "Bad" }`
            const { status } = await post(app, `mutation { createProducts(inputs: [${input}]) { products { id } } }`)
            expect({ price, status }).toEqual({ price, status: 400 })
          }
          // graphql-js parses this literal as Infinity, and accepts it.
          const endless = await read(
            `mutation { createProducts(inputs: [{ name: "Bad", price: 1e400, stock: 1, category: "Bad" }]) { products { id } ${userErrors} } }`,
          )
          expect(endless.createProducts).toEqual({
            products: [],
            userErrors: [invalid(['inputs', '0', 'price'], 'price must be a finite number')],
          })
        })
      })

      test('is visible immediately in cached lists, in its category, in the totals, and under an id with a negative entry', async () => {
        const document = `query ($category: String, $next: ID!) {
          products(first: 1) { nodes { id } totalCount }
          ofCategory: products(category: $category) { nodes { id name } totalCount }
          product(id: $next) { id }
          ${totals}
        }`
        const category = 'Brand New'
        const variables = { category, next: await nextId('product') }
        const before = await warm(document, variables)
        expect(before).toMatchObject({ product: null, ofCategory: { nodes: [], totalCount: 0 } })
        const id = await addProduct({ category })
        expect(id).toBe(variables.next)
        expect(await read(document, variables)).toEqual({
          products: { nodes: [{ id }], totalCount: before.products.totalCount + 1 },
          ofCategory: { nodes: [{ id, name: 'Made 0' }], totalCount: 1 },
          product: { id },
          stats: { ...before.stats, totalProducts: before.stats.totalProducts + 1 },
        })
      })

      test('leaves the pages of other categories in the cache', async () => {
        const document = '{ products(category: "Toys") { nodes { id } totalCount } }'
        await warm(document)
        await addProduct({ category: 'Not Toys' })
        app.takeStatements()
        await read(document)
        expect(app.takeStatements()).toEqual([])
      })
    })

    describe('updateProductStock', () => {
      test('is visible immediately wherever the product is shown', async () => {
        const category = 'Restocked'
        const productId = await addProduct({ category })
        const { id } = (await order((await addUser()).id, [productId])).order
        const document = `query ($productId: ID!, $id: ID!, $category: String!) {
          product(id: $productId) { stock }
          node(id: $productId) { ... on Product { stock } }
          order(id: $id) { products { stock } }
          products(category: $category) { nodes { stock } edges { node { stock } } }
        }`
        for (const stock of [7, 0, 2_147_483_647]) {
          await warm(document, { productId, id, category })
          const payload = await run('updateProductStock', { productId, stock })
          expect(payload).toEqual({ product: { id: productId, stock }, userErrors: [] })
          expect(await read(document, { productId, id, category })).toEqual({
            product: { stock },
            node: { stock },
            order: { products: [{ stock }] },
            products: { nodes: [{ stock }], edges: [{ node: { stock } }] },
          })
        }
      })

      test('to a negative number is refused', async () => {
        const productId = await addProduct()
        for (const stock of [-1, -2_147_483_648]) {
          const payload = await expectNoChange(() => run('updateProductStock', { productId, stock }))
          expect(payload).toEqual({ product: null, userErrors: [invalid(['stock'], 'stock must not be negative')] })
        }
        expect(await stocks(productId)).toEqual([100])
      })

      test('of an absent product is refused', async () => {
        await expectNoChange(async () => {
          for (const productId of unknownIds('product')) {
            expect(await run('updateProductStock', { productId, stock: 1 })).toEqual({
              product: null,
              userErrors: [{ code: 'NOT_FOUND', message: `There is no product ${productId}`, field: ['productId'] }],
            })
          }
        })
      })
    })

    describe('deleteCategory', () => {
      test('is visible immediately in cached lists, products, orders and totals; orders keep their ids and totals', async () => {
        const category = 'Doomed: 50 % off / ünïcode_😀'
        const [doomed, alsoDoomed] = (await addProducts({ category, price: 2 }, { category })) as [string, string]
        const kept = await addProduct({ price: 3 })
        const { id } = (await order((await addUser()).id, [doomed, kept, doomed])).order
        const document = `query ($category: String!, $doomed: ID!, $id: ID!) {
          all: products(first: 3) { nodes { id } totalCount }
          ofCategory: products(category: $category) { nodes { id } totalCount pageInfo { hasNextPage startCursor } }
          product(id: $doomed) { id }
          order(id: $id) { productIds total products { id } }
          ${totals}
        }`
        const variables = { category, doomed, id }
        const before = await warm(document, variables)
        expect(before.all.nodes).toEqual([{ id: kept }, { id: alsoDoomed }, { id: doomed }])
        expect(before.ofCategory.nodes).toEqual([{ id: alsoDoomed }, { id: doomed }])

        expect(await run('deleteCategory', { category })).toEqual({ deletedCount: 2, userErrors: [] })
        const after = await read(document, variables)
        expect(after).toMatchObject({
          all: { totalCount: before.all.totalCount - 2 },
          ofCategory: { nodes: [], totalCount: 0, pageInfo: { hasNextPage: false, startCursor: null } },
          product: null,
          order: { productIds: [doomed, kept, doomed], total: 7, products: [null, { id: kept }, null] },
          stats: { ...before.stats, totalProducts: before.stats.totalProducts - 2 },
        })
        expect(after.all.nodes).toHaveLength(3)
        expect(after.all.nodes).not.toContainEqual({ id: doomed })
        expect(after.all.nodes).not.toContainEqual({ id: alsoDoomed })
      })

      test('of more than 500 products leaves none of them in the cache', async () => {
        const category = 'Large'
        const inputs = Array.from({ length: 300 }, () => ({ category }))
        const ids = [...(await addProducts(...inputs)), ...(await addProducts(...inputs))]
        const document = `query ($a: [ID!]!, $b: [ID!]!) {
          products(category: "Large") { totalCount nodes { id } } a: nodes(ids: $a) { id } b: nodes(ids: $b) { id } }`
        const variables = { a: ids.slice(0, 100), b: ids.slice(-100) }
        expect((await warm(document, variables)).products.totalCount).toBe(600)
        expect((await run('deleteCategory', { category })).deletedCount).toBe(600)
        expect(await read(document, variables)).toEqual({
          products: { totalCount: 0, nodes: [] },
          a: Array(100).fill(null),
          b: Array(100).fill(null),
        })
      })

      test.each(['No such category', 'books', 'Book%', "Books' or 'a'='a"])(
        'of %j, which has no products, is refused',
        async (category) => {
          const payload = await expectNoChange(() => run('deleteCategory', { category }))
          const message = `There is no product in the category ${category}`
          expect(payload).toEqual({ deletedCount: 0, userErrors: [{ code: 'NOT_FOUND', message, field: ['category'] }] })
        },
      )

      test.each(['', '  ', 'a\u0000', 'x'.repeat(101)])('of %j, which is not a valid category, is refused', async (category) => {
        const payload = await expectNoChange(() => run('deleteCategory', { category }))
        expect(payload).toEqual({ deletedCount: 0, userErrors: [invalid(['category'])] })
      })
    })

    const badEmails = [
      '',
      'ada',
      'ada@',
      '@example.com',
      'ada@example',
      'a b@example.com',
      'ada@example.com ',
      'ada@@example.com',
    ].concat(['ada@example.com\u0000', 'ada@example.com\n', 'ada@exa mple.com', 'ada@example..com', 'Ada <ada@example.com>'])

    describe('createUser', () => {
      test('returns the user, who is visible immediately under an id with a negative entry, in the list and in the totals', async () => {
        const next = await nextId('user')
        const document = `query ($next: ID!) { user(id: $next) { email name createdAt } ${totals} }`
        const list = '{ users(first: 1) { nodes { id } totalCount } }'
        const before = await warm(document, { next })
        const { users } = await read(list)
        expect(before.user).toBe(null)
        const input = { email: 'Grace.Hopper+navy@Example.com', name: "Grace O'Hopper 😀 李" }
        expect(await run('createUser', { input })).toEqual({ user: { id: next, ...input }, userErrors: [] })
        expect(await read(document, { next })).toEqual({
          user: { ...input, createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) },
          stats: { ...before.stats, totalUsers: before.stats.totalUsers + 1 },
        })
        expect((await read(list)).users).toEqual({ nodes: [{ id: next }], totalCount: users.totalCount + 1 })
      })

      test('with a malformed email is refused', async () => {
        await expectNoChange(async () => {
          for (const email of badEmails) {
            const payload = await run('createUser', { input: { email, name: 'Ada' } })
            expect(payload).toEqual({ user: null, userErrors: [invalid(['input', 'email'], 'email must be an email address')] })
          }
          const { userErrors } = await run('createUser', { input: { email: `${'a'.repeat(243)}@example.com`, name: 'Ada' } })
          expect(userErrors).toEqual([invalid(['input', 'email'], 'email must have at most 254 characters')])
        })
      })

      test.each([
        ['', 'name must not be blank'],
        [' \t\u00a0', 'name must not be blank'],
        ['x'.repeat(201), 'name must have at most 200 characters'],
        ['😀'.repeat(201), 'name must have at most 200 characters'],
        ['a\u0000b', 'name must not contain control characters'],
        ['\ud83d', 'name must be valid Unicode'],
      ])('with the name %j is refused', async (name, message) => {
        const payload = await expectNoChange(() => run('createUser', { input: { email: 'new@example.com', name } }))
        expect(payload).toEqual({ user: null, userErrors: [invalid(['input', 'name'], message)] })
      })

      test.each(['x'.repeat(200), '😀'.repeat(200), "Robert'); drop table users; --"])(
        'with the name %j is fine',
        async (name) => {
          const { email } = await addUser()
          const { user } = await run('createUser', { input: { email: `un${email}`, name } })
          expect((await read('query ($id: ID!) { user(id: $id) { name } }', { id: user.id })).user.name).toBe(name)
        },
      )

      test('reports all errors at once', async () => {
        const { userErrors } = await run('createUser', { input: { email: '', name: '' } })
        expect(userErrors).toEqual([invalid(['input', 'email']), invalid(['input', 'name'])])
      })

      test('with the email of another, upper or lower case, is refused', async () => {
        const { email } = await addUser()
        for (const same of [email, email.toUpperCase()]) {
          const payload = await expectNoChange(() => run('createUser', { input: { email: same, name: 'Ada' } }))
          expect(payload).toEqual({
            user: null,
            userErrors: [
              { code: 'ALREADY_EXISTS', message: `There is a user with the email ${same}`, field: ['input', 'email'] },
            ],
          })
        }
      })

      test('five concurrent requests with the same email create one user', async () => {
        const emails = ['race@example.com', 'RACE@example.com', 'Race@Example.com', 'race@EXAMPLE.com', 'rACE@example.com']
        const payloads = await Promise.all(emails.map((email) => run('createUser', { input: { email, name: 'Ada' } })))
        expect(payloads.filter(({ user }) => user !== null)).toHaveLength(1)
        expect(payloads.flatMap(({ userErrors }) => userErrors.map(({ code }: { code: string }) => code))).toEqual(
          Array(4).fill('ALREADY_EXISTS'),
        )
      })
    })

    describe('updateUser', () => {
      test('is visible immediately wherever the user is shown', async () => {
        const { id } = await addUser()
        const { id: orderId } = (await order(id, [await addProduct()])).order
        const document = `query ($id: ID!, $orderId: ID!) {
          user(id: $id) { name email } order(id: $orderId) { user { name email } } node(id: $id) { ... on User { name email } } }`
        await warm(document, { id, orderId })
        const changed = { name: 'Renamed', email: 'renamed@example.com' }
        const payload = await run('updateUser', { input: { id, ...changed } })
        expect(payload).toEqual({ user: { id, ...changed }, userErrors: [] })
        expect(await read(document, { id, orderId })).toEqual({ user: changed, order: { user: changed }, node: changed })
      })

      test('changes only the given fields; null means not given', async () => {
        const { id, email, name } = await addUser()
        const { user: renamed } = await run('updateUser', { input: { id, name: 'Only a Name' } })
        expect(renamed).toEqual({ id, email, name: 'Only a Name' })
        const { user: moved } = await run('updateUser', { input: { id, email: `only-${email}`, name: null } })
        expect(moved).toEqual({ id, email: `only-${email}`, name: 'Only a Name' })
        const { user: back } = await run('updateUser', { input: { id, email: null, name } })
        expect(back).toEqual({ id, email: `only-${email}`, name })
      })

      test.each([{}, { email: null }, { name: null }, { email: null, name: null }])(
        'with nothing to change, %j, is refused',
        async (change) => {
          const { id } = await addUser()
          const payload = await run('updateUser', { input: { id, ...change } })
          expect(payload).toEqual({ user: null, userErrors: [invalid(['input'], 'Set email or name to a new value')] })
        },
      )

      test('with a malformed email or name is refused, and changes neither', async () => {
        const { id, email, name } = await addUser()
        for (const bad of badEmails) {
          const { userErrors } = await run('updateUser', { input: { id, email: bad, name: 'New' } })
          expect(userErrors).toEqual([invalid(['input', 'email'], 'email must be an email address')])
        }
        for (const bad of ['', ' ', 'a\u0000', 'x'.repeat(201)]) {
          const { userErrors } = await run('updateUser', { input: { id, email: 'fine@example.com', name: bad } })
          expect(userErrors).toEqual([invalid(['input', 'name'])])
        }
        const { user } = await read('query ($id: ID!) { user(id: $id) { id email name } }', { id })
        expect(user).toEqual({ id, email, name })
      })

      test("to another's email, upper or lower case, is refused; to one's own it is not", async () => {
        const { email: taken } = await addUser()
        const { id, email } = await addUser()
        for (const same of [taken, taken.toUpperCase()]) {
          const payload = await run('updateUser', { input: { id, email: same, name: 'New' } })
          expect(payload).toEqual({
            user: null,
            userErrors: [
              { code: 'ALREADY_EXISTS', message: `There is a user with the email ${same}`, field: ['input', 'email'] },
            ],
          })
        }
        const { user } = await run('updateUser', { input: { id, email: email.toUpperCase() } })
        expect(user.email).toBe(email.toUpperCase())
      })

      test('of an absent user is refused', async () => {
        for (const id of unknownIds('user')) {
          expect(await run('updateUser', { input: { id, name: 'New' } })).toEqual({
            user: null,
            userErrors: [{ code: 'NOT_FOUND', message: `There is no user ${id}`, field: ['input', 'id'] }],
          })
        }
      })
    })

    describe('deleteUser', () => {
      test('is visible immediately in everything cached, and succeeds once only', async () => {
        const { id } = await addUser()
        const document = `query ($id: ID!) { user(id: $id) { id orders { totalCount } } node(id: $id) { id } ${totals} }`
        const before = await warm(document, { id })
        expect(await run('deleteUser', { id })).toEqual({ deletedUserId: id, userErrors: [] })
        expect(await read(document, { id })).toEqual({
          user: null,
          node: null,
          stats: { ...before.stats, totalUsers: before.stats.totalUsers - 1 },
        })
        expect((await read('{ users(first: 1) { nodes { id } } }')).users.nodes).not.toContainEqual({ id })
        expect(await run('deleteUser', { id })).toEqual({
          deletedUserId: null,
          userErrors: [{ code: 'NOT_FOUND', message: `There is no user ${id}`, field: ['id'] }],
        })
      })

      test('is refused while the user has orders', async () => {
        const { id } = await addUser()
        await order(id, [await addProduct()])
        const payload = await expectNoChange(() => run('deleteUser', { id }))
        expect(payload).toEqual({
          deletedUserId: null,
          userErrors: [{ code: 'IN_USE', message: `${id} has orders`, field: ['id'] }],
        })
        expect((await read('query ($id: ID!) { user(id: $id) { id } }', { id })).user).toEqual({ id })
      })

      test('of an absent user is refused', async () => {
        await expectNoChange(async () => {
          for (const id of unknownIds('user')) {
            const { userErrors } = await run('deleteUser', { id })
            expect(userErrors).toEqual([{ code: 'NOT_FOUND', message: `There is no user ${id}`, field: ['id'] }])
          }
        })
      })

      test('releases the email of the user', async () => {
        const { id, email, name } = await addUser()
        await run('deleteUser', { id })
        const { user } = await run('createUser', { input: { email, name } })
        expect(user).toEqual({ id: expect.not.stringMatching(`^${id}$`), email, name })
      })
    })

    describe('warmUpCache and flushCache', () => {
      /** A read of every namespace. USERS comes first, because reading a user's orders reads the user. */
      const reads = [
        ['USERS', '{ user(id: "user_1") { id } }'],
        ['PRODUCTS', '{ product(id: "product_1") { id } }'],
        ['ORDERS', '{ order(id: "order_1") { id } }'],
        [
          'PRODUCT_LISTS',
          '{ products { pageInfo { hasNextPage } } books: products(category: "Books") { pageInfo { hasNextPage } } }',
        ],
        ['USER_ORDERS', '{ user(id: "user_1") { orders { pageInfo { hasNextPage } } } }'],
        ['STATS', `{ ${totals} }`],
      ] as const
      const namespaces = reads.map(([namespace]) => namespace)

      async function flushAll() {
        for (const namespace of namespaces) await run('flushCache', { namespace })
      }

      async function statementsOf(document: string): Promise<number> {
        app.takeStatements()
        await read(document)
        return app.takeStatements().length
      }

      /** The namespaces whose read costs SQL. The reads warm them. */
      async function coldNamespaces(): Promise<string[]> {
        const cold: string[] = []
        for (const [namespace, document] of reads) if ((await statementsOf(document)) > 0) cold.push(namespace)
        return cold
      }

      async function rowsToWarm(limit: number) {
        const [row] = await app.database.sql`
          select (select count(*) from users) as "USERS", (select count(*) from products) as "PRODUCTS",
            (select count(*) from orders) as "ORDERS", (select 1 + count(distinct category) from products) as "PRODUCT_LISTS",
            (select count(distinct user_id) from orders) as "USER_ORDERS", 1 as "STATS"`
        return namespaces.map((namespace) => ({ namespace, entries: Math.min(limit, Number(row?.[namespace])) }))
      }

      test('a warm-up fills every namespace, and reading the warmed entries costs no SQL', async () => {
        await flushAll()
        const { warmed } = await run('warmUpCache', { limit: 10_000 })
        expect(warmed).toEqual(expect.arrayContaining(await rowsToWarm(10_000)))
        expect(await coldNamespaces()).toEqual([])
        const page =
          '{ user(id: "user_1") { orders { nodes { id user { name } products { name price } } } } products { nodes { name } } }'
        expect(await statementsOf(page)).toBe(0)
      })

      test('a warm-up without a limit warms the newest 1000 of each', async () => {
        await flushAll()
        const newest = await nextId('user')
        await addUser()
        const expected = await rowsToWarm(1000)
        for (const variables of [{}, { limit: null }, { namespaces: null }]) {
          expect((await run('warmUpCache', variables)).warmed).toEqual(expect.arrayContaining(expected))
        }
        expect(await statementsOf(`{ user(id: "${newest}") { id } }`)).toBe(0)
        expect(await statementsOf('{ user(id: "user_1") { id } }')).toBe(1)
      })

      test.each(namespaces)('a warm-up of %s warms that alone', async (namespace) => {
        await flushAll()
        const { warmed } = await run('warmUpCache', { namespaces: [namespace, namespace], limit: 10_000 })
        expect(warmed).toEqual((await rowsToWarm(10_000)).filter((row) => row.namespace === namespace))
        expect(await coldNamespaces()).toEqual(namespaces.filter((name) => name !== namespace))
      })

      test('a warm-up of no namespaces warms nothing', async () => {
        expect((await run('warmUpCache', { namespaces: [] })).warmed).toEqual([])
      })

      test('a warm-up does not overwrite newer entries', async () => {
        const productId = await addProduct()
        await Promise.all([run('warmUpCache', { namespaces: ['PRODUCTS'] }), run('updateProductStock', { productId, stock: 3 })])
        expect(await stocks(productId)).toEqual([3])
      })

      test('a warm-up takes from 1 to 100000 of each', async () => {
        for (const limit of [1, 100_000]) {
          const { warmed } = await run('warmUpCache', { namespaces: ['ORDERS', 'PRODUCT_LISTS'], limit })
          expect(warmed).toHaveLength(2)
          if (limit === 1)
            expect(warmed).toEqual([
              { namespace: 'ORDERS', entries: 1 },
              { namespace: 'PRODUCT_LISTS', entries: 1 },
            ])
        }
        for (const limit of [0, -1, 100_001]) {
          const { errors } = await app.query(documents.warmUpCache, { limit })
          expect(errors).toMatchObject([
            { message: 'limit must be between 1 and 100000', path: ['warmUpCache'], extensions: { code: 'BAD_USER_INPUT' } },
          ])
        }
      })

      test.each(namespaces)('after a flush of %s only that namespace is read from the database again', async (namespace) => {
        await run('warmUpCache', { limit: 10_000 })
        expect(await coldNamespaces()).toEqual([])
        expect(await run('flushCache', { namespace })).toEqual({ namespace })
        expect(await coldNamespaces()).toEqual([namespace])
      })
    })

    describe('a document with several mutations', () => {
      test('runs them in order, and each reads its own writes', async () => {
        const { id: userId } = await addUser()
        const category = 'Serial'
        const productId = await addProduct({ category, price: 1.5, stock: 10 })
        const data = await read(
          `mutation ($user: ID!, $product: ID!, $category: String!) {
            a: updateProductStock(productId: $product, stock: 1) { product { stock } }
            b: createOrder(input: { userId: $user, productIds: [$product] }) { ...placed }
            c: createOrder(input: { userId: $user, productIds: [$product] }) { ...placed }
            d: updateProductStock(productId: $product, stock: 5) { product { stock } }
            e: updateUser(input: { id: $user, name: "Between" }) { user { name } }
            f: createOrder(input: { userId: $user, productIds: [$product, $product] }) { ...placed }
            g: deleteCategory(category: $category) { deletedCount }
            h: createOrder(input: { userId: $user, productIds: [$product] }) { ...placed }
            i: updateUser(input: { id: $user, name: "After" }) { user { name orders(first: 1) { nodes { products { id } } } } }
          }
          fragment placed on OrderPayload {
            order { total products { stock } user { name orders(first: 1) { totalCount nodes { total } } } } userErrors { code } }`,
          { user: userId, product: productId, category },
        )
        const user = (name: string, totalCount: number, total: number) => ({ name, orders: { totalCount, nodes: [{ total }] } })
        expect(data).toEqual({
          a: { product: { stock: 1 } },
          b: { order: { total: 1.5, products: [{ stock: 0 }], user: user(expect.any(String), 1, 1.5) }, userErrors: [] },
          c: { order: null, userErrors: [{ code: 'OUT_OF_STOCK' }] },
          d: { product: { stock: 5 } },
          e: { user: { name: 'Between' } },
          f: { order: { total: 3, products: [{ stock: 3 }, { stock: 3 }], user: user('Between', 2, 3) }, userErrors: [] },
          g: { deletedCount: 1 },
          h: { order: null, userErrors: [{ code: 'NOT_FOUND' }] },
          i: { user: { name: 'After', orders: { nodes: [{ products: [null, null] }] } } },
        })
      })

      test.each([
        ['an argument of the wrong type', 'updateProductStock(productId: "product_1", stock: "many") { product { id } }'],
        ['a number beyond 32 bits', 'updateProductStock(productId: "product_1", stock: 2147483648) { product { id } }'],
        ['a fraction', 'updateProductStock(productId: "product_1", stock: 1.5) { product { id } }'],
        ['a missing argument', 'updateProductStock(productId: "product_1") { product { id } }'],
        ['a null where there must be a value', 'deleteCategory(category: null) { deletedCount }'],
        ['a missing field of an input', 'createUser(input: { email: "b@example.com" }) { user { id } }'],
        ['an unknown field of an input', 'createUser(input: { email: "b@example.com", name: "B", admin: true }) { user { id } }'],
        ['an unknown field of a payload', 'deleteCategory(category: "Books") { deleted }'],
        ['an unknown mutation', 'dropEverything { ok }'],
        ['an unknown namespace', 'flushCache(namespace: EVERYTHING) { namespace }'],
        ['no selection', 'deleteCategory(category: "Books")'],
      ])('does nothing at all where one has %s', async (_name, faulty) => {
        const { status, data, errors } = await expectNoChange(() =>
          post(
            app,
            `mutation {
              createUser(input: { email: "first@example.com", name: "First" }) { user { id } }
              faulty: ${faulty}
              deleteCategory(category: "Toys") { deletedCount }
            }`,
          ),
        )
        expect(status).toBe(400)
        expect(data).toBeUndefined()
        expect(errors?.[0]?.extensions.code).toBe('GRAPHQL_VALIDATION_FAILED')
      })

      test('does nothing if a variable has the wrong type', async () => {
        for (const stock of ['many', 1.5, 2 ** 31, null, [1], {}]) {
          const answer = await expectNoChange(() => post(app, documents.updateProductStock, { productId: 'product_1', stock }))
          expect(answer.status).toBe(400)
          expect(answer.errors?.[0]?.extensions.code).toBe('BAD_USER_INPUT')
        }
      })
    })
  })
})
