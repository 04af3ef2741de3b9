import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Database } from '../../src/platform/database/connection.js'
import type { TestApp } from '../helpers/app.js'
import { backends } from '../helpers/backends.js'
import { post } from '../helpers/post.js'

interface List {
  name: string
  kind: 'product' | 'user' | 'order'
  /** The connection's place in a document. It has the alias `list`, and variables for its arguments. */
  field: string
  pageSizes: number[]
  /** The ids of the list, newest first */
  rows(sql: Database): PromiseLike<{ id: number }[]>
  /** A mutation that adds a row at the start of the list */
  addition: string
}

const variables = '$first: Int, $after: String, $last: Int, $before: String'
const page = 'first: $first, after: $after, last: $last, before: $before'
const selection = '{ edges { cursor node { id } } nodes { id } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } }'

const allProducts: List = {
  name: 'all products',
  kind: 'product',
  field: `list: products(${page}) ${selection}`,
  pageSizes: [97],
  rows: (sql) => sql`select id from products order by id desc`,
  addition: 'createProducts(inputs: [{ name: "New", price: 1, stock: 1, category: "Books" }]) { products { id } }',
}
const books: List = {
  ...allProducts,
  name: 'the products of a category',
  field: `list: products(category: "Books", ${page}) ${selection}`,
  pageSizes: [7, 50, 100],
  rows: (sql) => sql`select id from products where category = 'Books' order by id desc`,
}
const users: List = {
  name: 'all users',
  kind: 'user',
  field: `list: users(${page}) ${selection}`,
  pageSizes: [100],
  rows: (sql) => sql`select id from users order by id desc`,
  addition: 'createUser(input: { email: "$new@example.com", name: "New" }) { user { id } }',
}
const orders: List = {
  name: "a user's orders",
  kind: 'order',
  field: `owner: user(id: "user_1") { list: orders(${page}) ${selection} }`,
  pageSizes: [1, 3, 25],
  rows: (sql) => sql`select id from orders where user_id = 1 order by id desc`,
  addition: 'createOrder(input: { userId: "user_1", productIds: ["product_1"] }) { order { id } }',
}
const lists = [allProducts, books, users, orders]

const byName = lists.map((list) => [list.name, list] as const)
const bySize = lists.flatMap((list) => list.pageSizes.map((size) => [list.name, size, list] as const))

/** Stops an endless walk: every list of these tests is shorter. */
const tooManyPages = 100

interface Arguments {
  first?: number | null
  after?: string | null
  last?: number | null
  before?: string | null
}

interface Connection {
  edges: { cursor: string; node: { id: string } }[]
  nodes: { id: string }[]
  pageInfo: { hasNextPage: boolean; hasPreviousPage: boolean; startCursor: string | null; endCursor: string | null }
}

describe.each(backends)('connections, with the cache %s', (_, { skip, start }) => {
  describe.skipIf(skip)('', () => {
    let app: TestApp
    beforeAll(async () => {
      app = await start()
    })
    afterAll(() => app.stop())

    async function read({ field }: List, args: Arguments): Promise<Connection> {
      const { data, errors } = await app.query(`query (${variables}) { ${field} }`, { ...args })
      expect(errors).toBeUndefined()
      return (data.owner ?? data).list
    }

    async function refusal({ field }: List, args: Arguments) {
      const { errors } = await app.query(`query (${variables}) { ${field} }`, { ...args })
      return errors?.map(({ message, extensions: { code } }) => ({ message, code }))
    }

    async function walkForwards(list: List, size: number): Promise<Connection[]> {
      const pages = [await read(list, { first: size })]
      while (pages.at(-1)?.pageInfo.hasNextPage && pages.length < tooManyPages) {
        pages.push(await read(list, { first: size, after: pages.at(-1)?.pageInfo.endCursor ?? null }))
      }
      return pages
    }

    async function walkBackwards(list: List, size: number): Promise<Connection[]> {
      const pages = [await read(list, { last: size })]
      while (pages[0]?.pageInfo.hasPreviousPage && pages.length < tooManyPages) {
        pages.unshift(await read(list, { last: size, before: pages[0].pageInfo.startCursor }))
      }
      return pages
    }

    /** Newest first */
    async function idsOf({ kind, rows }: List): Promise<string[]> {
      return (await rows(app.database.sql)).map(({ id }) => `${kind}_${id}`)
    }

    let additions = 0
    async function add({ addition }: List): Promise<void> {
      additions += 1
      const { errors } = await app.query(`mutation { ${addition.replace('$new', `new-${additions}`)} }`)
      expect(errors).toBeUndefined()
    }

    /** Reads a page: the indexes of its rows in the list, and whether rows precede and follow them. */
    async function rows(list: List, args: Arguments) {
      const all = await idsOf(list)
      const { nodes, pageInfo } = await read(list, args)
      const [start, end] = [pageInfo.hasPreviousPage ? '... ' : '', pageInfo.hasNextPage ? ' ...' : '']
      return start + nodes.map(({ id }) => all.indexOf(id)).join(' ') + end
    }

    async function cursors(list: List): Promise<[string, ...string[]]> {
      return (await read(list, { first: 100 })).edges.map(({ cursor }) => cursor) as [string, ...string[]]
    }

    describe('walking', () => {
      test.each(bySize)('%s, forwards by %i, returns every row once, newest first', async (_name, size, list) => {
        const pages = await walkForwards(list, size)
        expect(shown(pages)).toEqual(await idsOf(list))
        expect(pages.slice(0, -1).every(({ edges }) => edges.length === size)).toBe(true)
        expectPageInfo(pages)
        // Once more, from the cache
        expect(await walkForwards(list, size)).toEqual(pages)
      })

      test.each(bySize)('%s, backwards by %i, returns the same rows in the same order', async (_name, size, list) => {
        const pages = await walkBackwards(list, size)
        expect(shown(pages)).toEqual(await idsOf(list))
        expect(pages.slice(1).every(({ edges }) => edges.length === size)).toBe(true)
        expectPageInfo(pages)
        // Once more, from the cache
        expect(await walkBackwards(list, size)).toEqual(pages)
      })

      test.each(byName)('%s, while rows are added, returns every old row once', async (_name, list) => {
        const before = await idsOf(list)
        const pages = [await read(list, { first: 10 })]
        while (pages.at(-1)?.pageInfo.hasNextPage) {
          if (pages.length < 4) await add(list)
          pages.push(await read(list, { first: 100, after: pages.at(-1)?.pageInfo.endCursor ?? null }))
        }
        expect(shown(pages)).toEqual(before)
      })
    })

    describe.each(byName)('a page of %s', (_name, list) => {
      test('has the newest 20 rows by default, also with null arguments', async () => {
        const twenty = (await idsOf(list)).slice(0, 20)
        const nothing = { first: null, after: null, last: null, before: null }
        for (const args of [{}, nothing]) expect(shown([await read(list, args)])).toEqual(twenty)
        expect(await rows(list, { first: 2, last: null })).toBe('0 1 ...')
        expect((await rows(list, { first: null, last: 2 })).startsWith('... ')).toBe(true)
      })

      test('may have 0 to 100 rows, from the start or from the end', async () => {
        const all = await idsOf(list)
        for (const size of [0, 1, 100]) {
          expect(shown([await read(list, { first: size })])).toEqual(all.slice(0, size))
          expect(shown([await read(list, { last: size })])).toEqual(all.slice(Math.max(0, all.length - size)))
        }
      })

      test('without rows reports whether rows precede and follow it', async () => {
        const edgeless = { edges: [], nodes: [] }
        const none = { startCursor: null, endCursor: null }
        const toEnd = { ...edgeless, pageInfo: { hasNextPage: true, hasPreviousPage: false, ...none } }
        const toStart = { ...edgeless, pageInfo: { hasNextPage: false, hasPreviousPage: true, ...none } }
        const [first] = await cursors(list)
        const last = (await read(list, { last: 1 })).pageInfo.endCursor
        expect(await read(list, { first: 0 })).toEqual(toEnd)
        expect(await read(list, { last: 0 })).toEqual(toStart)
        expect(await read(list, { first: 5, before: first })).toEqual(toEnd)
        expect(await read(list, { last: 5, before: first })).toEqual(toEnd)
        expect(await read(list, { first: 5, after: last })).toEqual(toStart)
        expect(await read(list, { last: 5, after: last })).toEqual(toStart)
      })

      test('may lie between two cursors', async () => {
        const at = await cursors(list)
        const between = { after: at[2] as string, before: at[7] as string }
        expect(await rows(list, { ...between })).toBe('... 3 4 5 6 ...')
        expect(await rows(list, { ...between, first: 100 })).toBe('... 3 4 5 6 ...')
        expect(await rows(list, { ...between, first: 2 })).toBe('... 3 4 ...')
        expect(await rows(list, { ...between, last: 2 })).toBe('... 5 6 ...')
        expect(await rows(list, { before: at[3] as string })).toBe('0 1 2 ...')
        expect(await rows(list, { before: at[3] as string, first: 2 })).toBe('0 1 ...')
        expect(await rows(list, { before: at[3] as string, last: 2 })).toBe('... 1 2 ...')
        expect((await read(list, { after: at[7] as string, before: at[2] as string })).edges).toEqual([])
        expect((await read(list, { after: at[4] as string, before: at[4] as string })).edges).toEqual([])
      })

      test('after a row deleted meanwhile begins at the position of that row', async () => {
        for (let count = 0; count < 3; count += 1) await add(list)
        const ids = await idsOf(list)
        const deleted = (await cursors(list))[1] as string
        const { sql } = app.database
        await sql`delete from ${sql(`${list.kind}s`)} where id = ${Number(ids[1]?.split('_')[1])}`
        await app.query(
          'mutation { a: flushCache(namespace: PRODUCT_LISTS) { namespace } b: flushCache(namespace: USER_ORDERS) { namespace } }',
        )
        expect(await idsOf(list)).not.toContain(ids[1])
        expect(await rows(list, { first: 2, after: deleted })).toBe('... 1 2 ...')
        expect(await rows(list, { last: 2, before: deleted })).toBe('0 ...')
      })

      test.each([
        [{ first: 101 }, 'first must be between 0 and 100'],
        [{ first: -1 }, 'first must be between 0 and 100'],
        [{ last: 101 }, 'last must be between 0 and 100'],
        [{ last: -1 }, 'last must be between 0 and 100'],
        [{ first: 1, last: 1 }, 'Use first or last, not both'],
      ])('is refused for %j', async (args, message) => {
        expect(await refusal(list, args)).toEqual([{ message, code: 'BAD_USER_INPUT' }])
      })

      test('is refused if a cursor is malformed', async () => {
        const [cursor] = await cursors(list)
        const mark = Buffer.from(cursor, 'base64url').toString().split(':')[0]
        const forged = (text: string) => Buffer.from(text).toString('base64url')
        const malformed = ['', ' ', 'x', 'null', '0', '%00', '\u0000', 'A'.repeat(10_000), forged('arrayconnection:5')]
        const altered = [`${cursor}!`, ` ${cursor}`, `${cursor}=`, cursor.repeat(2)]
        const positions = ['', '0', '01', '-1', '1.5', '1e3', '1 or 1=1', '9'.repeat(16)].map((text) => forged(`${mark}:${text}`))
        for (const bad of [...malformed, ...altered, ...positions]) {
          expect({ bad, errors: await refusal(list, { after: bad }) }).toEqual({
            bad,
            errors: [{ message: 'after is not a cursor', code: 'BAD_USER_INPUT' }],
          })
          expect(await refusal(list, { before: bad })).toEqual([{ message: 'before is not a cursor', code: 'BAD_USER_INPUT' }])
        }
      })

      test('is refused if a cursor belongs to another list', async () => {
        const others = lists.filter((other) => other !== list)
        const foreign = await Promise.all(others.map(async (other) => (await cursors(other))[0]))
        for (const cursor of foreign) {
          const errors = [{ message: 'after is a cursor of another list', code: 'BAD_USER_INPUT' }]
          expect(await refusal(list, { after: cursor })).toEqual(errors)
        }
      })
    })

    test("a cursor of another user's orders, or of another category, is refused", async () => {
      const { data } = await app.query(`{
        user(id: "user_1") { orders { pageInfo { endCursor } } }
        products(category: "Books") { pageInfo { endCursor } }
      }`)
      const { errors } = await app.query(
        'query ($after: String) { user(id: "user_2") { orders(after: $after) { nodes { id } } } }',
        {
          after: data.user.orders.pageInfo.endCursor,
        },
      )
      expect(errors?.[0]).toMatchObject({ message: 'after is a cursor of another list', extensions: { code: 'BAD_USER_INPUT' } })
      for (const category of ['Toys', 'books', '']) {
        const answer = await app.query(
          'query ($category: String, $after: String) { products(category: $category, after: $after) { nodes { id } } }',
          { category, after: data.products.pageInfo.endCursor },
        )
        expect(answer.errors?.[0]?.message).toBe('after is a cursor of another list')
      }
    })

    test('a refused page leaves the rest of the answer usable', async () => {
      const { status, data, errors } = await post(
        app,
        `{
          bad: user(id: "user_1") { id orders(first: 1000) { nodes { id } } }
          good: user(id: "user_1") { id orders(first: 1) { nodes { id } } }
          product(id: "product_1") { id }
        }`,
      )
      expect(status).toBe(200)
      expect(data).toEqual({
        bad: null,
        good: { id: 'user_1', orders: { nodes: [{ id: expect.stringMatching(/^order_\d+$/) }] } },
        product: { id: 'product_1' },
      })
      expect(errors).toMatchObject([{ path: ['bad', 'orders'], extensions: { code: 'BAD_USER_INPUT' } }])
    })

    test('a refused non-null page makes the whole answer null, and the error has its path', async () => {
      const { status, data, errors } = await post(
        app,
        '{ product(id: "product_1") { id } bad: products(after: "x") { nodes { id } } }',
      )
      expect(status).toBe(200)
      expect(data).toBe(null)
      expect(errors).toMatchObject([{ path: ['bad'], message: 'after is not a cursor', extensions: { code: 'BAD_USER_INPUT' } }])
    })

    test('an empty list has no edges, no cursors and a count of 0, in both directions', async () => {
      const [user] = await app.database.sql`
        select id from users where not exists (select 1 from orders where user_id = users.id) order by id limit 1`
      const fields = `${selection.slice(0, -1)} totalCount }`
      const empty = {
        edges: [],
        nodes: [],
        pageInfo: { hasNextPage: false, hasPreviousPage: false, startCursor: null, endCursor: null },
        totalCount: 0,
      }
      for (const args of ['first: 5', 'last: 5', 'first: 0', 'last: 0', 'first: null']) {
        const { data } = await app.query(`{
          user(id: "user_${user?.id}") { orders(${args}) ${fields} }
          products(category: "No such category", ${args}) ${fields}
        }`)
        expect(data).toEqual({ user: { orders: empty }, products: empty })
      }
    })

    test.each(['', 'books', 'Books ', '%', 'x'.repeat(100)])(
      'a category that no product has, %j, is an empty list',
      async (category) => {
        const { data, errors } = await app.query(
          'query ($category: String) { products(category: $category) { nodes { id } totalCount } }',
          { category },
        )
        expect(errors).toBeUndefined()
        expect(data.products).toEqual({ nodes: [], totalCount: 0 })
      },
    )

    test('a category longer than the maximum is refused, and leaves nothing in the cache', async () => {
      for (const category of ['x'.repeat(101), '|'.repeat(400_000)]) {
        const { errors } = await app.query('query ($category: String) { products(category: $category) { totalCount } }', {
          category,
        })
        expect(errors).toMatchObject([
          { message: 'category must have at most 100 characters', extensions: { code: 'BAD_USER_INPUT' } },
        ])
      }
    })

    test('a category that the database cannot represent is refused', async () => {
      const { errors } = await app.query('query ($category: String) { products(category: $category) { totalCount } }', {
        category: 'a\u0000b',
      })
      expect(errors).toMatchObject([{ message: 'category must not contain NUL', extensions: { code: 'BAD_USER_INPUT' } }])
    })

    test('nodes are the nodes of the edges', async () => {
      const { data } = await app.query(`{
        products(first: 5) { nodes { id name price } edges { node { id name price } } }
        users(last: 5) { nodes { id email } edges { node { id email } } }
        user(id: "user_1") { orders(first: 5) { nodes { id total } edges { node { id total } } } }
      }`)
      for (const { nodes, edges } of [data.products, data.users, data.user.orders]) {
        expect(nodes).toHaveLength(5)
        expect(edges.map(({ node }: { node: unknown }) => node)).toEqual(nodes)
      }
    })

    test('totalCount counts the whole list, whatever the page', async () => {
      const [all, books, users, orders] = await Promise.all(lists.map(async (list) => (await idsOf(list)).length))
      const document = `{
        products(first: 1) { totalCount }
        none: products(first: 0) { totalCount }
        books: products(category: "Books", last: 3) { totalCount nodes { id } }
        users(first: 2) { totalCount }
        user(id: "user_1") { orders(last: 1) { totalCount } }
      }`
      const expected = {
        products: { totalCount: all },
        none: { totalCount: all },
        books: { totalCount: books, nodes: [expect.anything(), expect.anything(), expect.anything()] },
        users: { totalCount: users },
        user: { orders: { totalCount: orders } },
      }
      expect((await app.query(document)).data).toEqual(expected)
      expect((await app.query(document)).data).toEqual(expected)
    })

    test('one document may select many pages', async () => {
      const [products, books, users, orders] = await Promise.all(lists.map(idsOf))
      const [after] = (await cursors(allProducts)).slice(4)
      const { data } = await app.query(
        `query ($after: String) {
          newest: products(first: 2) { ...found }
          oldest: products(last: 2) { ...found }
          next: products(first: 3, after: $after) { ...found }
          books: products(category: "Books", first: 2) { ...found }
          users(first: 2) { nodes { id } }
          user(id: "user_1") { newest: orders(first: 2) { nodes { id } } oldest: orders(last: 1) { nodes { id } } }
        }
        fragment found on ProductConnection { nodes { id } }`,
        { after },
      )
      expect(data).toEqual({
        newest: nodes(products?.slice(0, 2)),
        oldest: nodes(products?.slice(-2)),
        next: nodes(products?.slice(5, 8)),
        books: nodes(books?.slice(0, 2)),
        users: nodes(users?.slice(0, 2)),
        user: { newest: nodes(orders?.slice(0, 2)), oldest: nodes(orders?.slice(-1)) },
      })
    })

    test('cached pages are correct after products were created and after a category was deleted', async () => {
      const posters: List = {
        ...allProducts,
        name: 'the products of a new category',
        field: books.field.replace('Books', 'Posters'),
        rows: (sql) => sql`select id from products where category = 'Posters' order by id desc`,
        addition: books.addition.replace('Books', 'Posters'),
      }
      const expectRight = async () => {
        for (const list of [allProducts, books, posters]) {
          const ids = await idsOf(list)
          expect(shown([await read(list, { first: 3 })])).toEqual(ids.slice(0, 3))
          expect(shown([await read(list, { last: 3 })])).toEqual(ids.slice(-3))
          expect(shown(await walkForwards(list, 100))).toEqual(ids)
          expect(shown(await walkBackwards(list, 100))).toEqual(ids)
          const count = await app.query(`query (${variables}) { ${list.field.replace(selection, '{ totalCount }')} }`)
          expect(count.data.list).toEqual({ totalCount: ids.length })
        }
      }
      await expectRight()
      for (let count = 0; count < 4; count += 1) await add(posters)
      await expectRight()
      await app.query('mutation { deleteCategory(category: "Posters") { deletedCount } }')
      await expectRight()
      expect(await idsOf(posters)).toEqual([])
    })
  })
})

function shown(pages: readonly Connection[]): string[] {
  return pages.flatMap(({ edges }) => edges.map(({ node }) => node.id))
}

/** All pages of a list, in list order */
function expectPageInfo(pages: readonly Connection[]): void {
  for (const [index, { edges, nodes, pageInfo }] of pages.entries()) {
    expect(nodes).toEqual(edges.map(({ node }) => node))
    expect(pageInfo).toEqual({
      hasPreviousPage: index > 0,
      hasNextPage: index < pages.length - 1,
      startCursor: edges[0]?.cursor,
      endCursor: edges.at(-1)?.cursor,
    })
  }
}

function nodes(ids: readonly string[] | undefined) {
  return { nodes: ids?.map((id) => ({ id })) }
}
