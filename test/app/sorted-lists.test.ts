import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../helpers/app.js'
import { noRedis, startRedis, type TestRedis } from '../helpers/redis.js'
import { recordRedis } from '../helpers/redis-recording.js'
import { until } from '../helpers/until.js'

interface Connection {
  edges: { cursor: string; node: { id: string } }[]
  pageInfo: { hasNextPage: boolean; hasPreviousPage: boolean }
}

const page = (listArguments: string) => `{ products(${listArguments}) { nodes { id name price stock } totalCount } }`

describe.skipIf(noRedis)('sorted and filtered lists', () => {
  let redis: TestRedis
  let app: TestApp

  beforeAll(async () => {
    redis = await startRedis()
    app = await startTestApp({ redisUrl: redis.url })
    await app.database.sql`delete from products where category in ('Maps', 'Globes')`
    await app.database.sql`
      insert into products (id, name, price_cents, stock, category) values
        (9001, 'zebra', 1500, 3, 'Maps'), (9002, 'Ämter', 1500, 0, 'Maps'), (9003, 'apple', 999, 5, 'Maps'), (9004, 'Zoo', 60000, 1, 'Maps'),
        (9005, 'apple', 2000, 0, 'Maps')`
  })
  afterAll(async () => {
    await app.stop()
    await redis.stop()
  })
  beforeEach(async () => {
    app.takeStatements()
  })

  async function numbers(listArguments: string): Promise<number[]> {
    const { data, errors } = await app.query(page(`category: "Maps", ${listArguments}`))
    expect(errors).toBeUndefined()
    return data.products.nodes.map(({ id }: { id: string }) => Number(id.slice('product_900'.length)))
  }

  test.each([
    ['first: 9', [5, 4, 3, 2, 1]],
    ['sortBy: null, first: 9', [5, 4, 3, 2, 1]],
    ['sortBy: PRICE_ASC, first: 9', [3, 1, 2, 5, 4]],
    ['sortBy: PRICE_DESC, first: 9', [4, 5, 2, 1, 3]],
    ['sortBy: PRICE_ASC, last: 2', [5, 4]],
    // The root collation of ICU: upper and lower case are not separated, and an umlaut is sorted as its letter.
    ['sortBy: NAME_ASC, first: 9', [2, 3, 5, 1, 4]],
    ['filter: null, first: 9', [5, 4, 3, 2, 1]],
    ['filter: { inStock: null, minPrice: null, maxPrice: null }, first: 9', [5, 4, 3, 2, 1]],
    ['filter: { inStock: true }, first: 9', [4, 3, 1]],
    ['filter: { inStock: false }, sortBy: NAME_ASC, first: 9', [2, 5]],
    ['filter: { minPrice: 10, maxPrice: 20 }, first: 9', [5, 2, 1]],
    ['filter: { minPrice: 9.99, maxPrice: 19.99 }, sortBy: PRICE_DESC, first: 9', [2, 1, 3]],
    ['filter: { minPrice: 9.991 }, first: 9', [5, 4, 2, 1]],
    ['filter: { maxPrice: 0 }, first: 9', []],
  ])('products(%s)', async (listArguments, expected) => {
    expect(await numbers(listArguments)).toEqual(expected)
  })

  test.each(['PRICE_ASC', 'PRICE_DESC', 'NAME_ASC', 'NEWEST'])(
    'pages of one item, forward and backward, have every item once, by %s',
    async (sortBy) => {
      const all = await numbers(`sortBy: ${sortBy}, first: 9`)
      const walk = async (size: 'first' | 'last', position: 'after' | 'before') => {
        const ids: string[] = []
        let cursor: string | null = null
        do {
          const answer: Awaited<ReturnType<typeof app.query>> = await app.query(
            `query ($cursor: String) { products(category: "Maps", sortBy: ${sortBy}, ${size}: 1, ${position}: $cursor) {
               edges { cursor node { id } } pageInfo { hasNextPage hasPreviousPage } } }`,
            { cursor },
          )
          const { edges, pageInfo } = (answer.data as { products: Connection }).products
          ids.push(...edges.map(({ node }) => node.id))
          cursor = (size === 'first' ? pageInfo.hasNextPage : pageInfo.hasPreviousPage) ? (edges[0]?.cursor ?? null) : null
        } while (cursor !== null)
        return ids.map((id) => Number(id.slice('product_900'.length)))
      }
      expect(await walk('first', 'after')).toEqual(all)
      expect(await walk('last', 'before')).toEqual(all.toReversed())
    },
  )

  test('a cursor is refused by every other list, sort and filter', async () => {
    const cursorOf = async (listArguments: string) =>
      (await app.query(`{ products(${listArguments}) { pageInfo { endCursor } } }`)).data.products.pageInfo.endCursor
    const lists = [
      'first: 1',
      'first: 1, category: "Maps"',
      'first: 1, category: "Maps", sortBy: PRICE_ASC',
      'first: 1, category: "Maps", sortBy: PRICE_DESC',
      'first: 1, category: "Maps", sortBy: NAME_ASC',
      'first: 1, category: "Maps", filter: { inStock: true }',
      'first: 1, category: "Maps", filter: { maxPrice: 1000 }',
      'first: 1, category: "Maps", filter: { maxPrice: 500, inStock: true }',
    ]
    const cursors = await Promise.all(lists.map(cursorOf))
    for (const [index, list] of lists.entries()) {
      for (const [other, cursor] of cursors.entries()) {
        const { errors } = await app.query(page(`${list}, after: "${cursor}"`))
        expect(errors?.[0]?.message).toBe(index === other ? undefined : 'after is a cursor of another list')
      }
    }
  })

  test('a forged value in a cursor is refused', async () => {
    const cursor = (await app.query('{ products(sortBy: PRICE_ASC, first: 1) { pageInfo { endCursor } } }')).data.products
      .pageInfo.endCursor as string
    const [hash, id] = Buffer.from(cursor, 'base64url').toString().split(':')
    for (const value of ['', ':', ':"text"', ':1.5', ':9007199254740993', ':null', ':[1]', ':1:2']) {
      const forged = Buffer.from(`${hash}:${id}${value}`).toString('base64url')
      const { errors } = await app.query(page(`sortBy: PRICE_ASC, after: "${forged}"`))
      expect(errors?.[0], value).toMatchObject({ message: 'after is not a cursor', extensions: { code: 'BAD_USER_INPUT' } })
    }
  })

  test.each([
    ['filter: { minPrice: -1 }', 'filter.minPrice must be between 0 and 1000000'],
    ['filter: { maxPrice: 1e300 }', 'filter.maxPrice must be between 0 and 1000000'],
    ['filter: { minPrice: 2, maxPrice: 1 }', 'filter.minPrice must not be greater than filter.maxPrice'],
  ])('products(%s) is refused', async (listArguments, message) => {
    const { errors } = await app.query(page(listArguments))
    expect(errors?.[0]).toMatchObject({ message, extensions: { code: 'BAD_USER_INPUT' } })
  })

  test('a warm sorted and filtered page is one MGET with its generations, one for its products, and no SQL', async () => {
    await redis.client.flushall()
    const document = `{ products(category: "Maps", sortBy: PRICE_ASC, filter: { inStock: true, minPrice: 10, maxPrice: 50 }) {
      nodes { id price } } }`
    await app.query(document)
    app.takeStatements()
    const recording = await recordRedis(redis)
    const { data } = await app.query(document)
    const commands = await recording.take()
    recording.stop()
    expect(data.products.nodes).toEqual([{ id: 'product_9001', price: 15 }])
    expect(app.takeStatements()).toEqual([])
    expect(commands.map(([name]) => name)).toEqual(['mget', 'mget'])
    const keys = commands[0]?.slice(1).map((key) => key.replace('ecommerce:v1:product-lists', ''))
    expect(keys).toEqual([
      '',
      ':category%3AMaps%20where%20inStock',
      ...[':category%3AMaps%20by%20price_cents%201', ':category%3AMaps%20by%20price_cents%202'],
      expect.stringMatching(/^:category%3AMaps:[0-9a-f]{16}$/),
    ])
  })

  test('a range whose bounds are not declared is read from the database each time, and leaves nothing in Redis', async () => {
    const listKeys = async () => (await redis.client.keys('ecommerce:v1:product-lists*')).length
    await until(async () => {
      app.takeStatements()
      await app.query(page('filter: { maxPrice: 10 }'))
      return app.takeStatements().length === 0
    })
    const keys = await listKeys()
    for (let cents = 1; cents <= 50; cents += 1) {
      app.takeStatements()
      const { errors } = await app.query(
        `{ products(first: 1, filter: { minPrice: 1${cents / 100} }) { pageInfo { hasNextPage } } }`,
      )
      expect(errors).toBeUndefined()
      expect(app.takeStatements()).toHaveLength(1)
    }
    expect(await listKeys()).toBe(keys)
  })

  test('a change by SQL shows in the pages that it concerns, and the other pages remain cached', async () => {
    const pages = {
      newest: 'category: "Maps"',
      byPrice: 'category: "Maps", sortBy: PRICE_ASC',
      cheapest: 'category: "Maps", sortBy: PRICE_ASC, first: 1',
      byName: 'category: "Maps", sortBy: NAME_ASC',
      inStock: 'category: "Maps", filter: { inStock: true }',
      cheap: 'category: "Maps", filter: { maxPrice: 10 }',
      expensive: 'category: "Maps", filter: { minPrice: 500 }',
    }
    const fetchedAfter = async (change: string) => {
      for (const listArguments of Object.values(pages)) await app.query(`{ products(${listArguments}) { nodes { id } } }`)
      await app.database.sql.unsafe(change)
      await until(async () => (await app.database.sql`select 1 from cache_outbox`).length === 0)
      const fetched: string[] = []
      for (const [name, listArguments] of Object.entries(pages)) {
        app.takeStatements()
        await app.query(`{ products(${listArguments}) { pageInfo { hasNextPage } } }`)
        if (app.takeStatements().length > 0) fetched.push(name)
      }
      return fetched
    }
    expect(await fetchedAfter('update products set stock = 2 where id = 9001')).toEqual([])
    expect(await fetchedAfter('update products set stock = 0 where id = 9001')).toEqual(['inStock'])
    expect(await fetchedAfter("update products set name = 'yak' where id = 9001")).toEqual(['byName'])
    expect(await fetchedAfter('update products set price_cents = 1600 where id = 9001')).toEqual(['byPrice', 'cheapest'])
    expect(await fetchedAfter('update products set price_cents = 900 where id = 9001')).toEqual(['byPrice', 'cheapest', 'cheap'])
    // A change of an expensive product does not concern the page of the cheapest one.
    expect(await fetchedAfter('update products set price_cents = 70000 where id = 9004')).toEqual(['byPrice'])
    expect(await fetchedAfter('update products set price_cents = 71000 where id = 9004')).toEqual(['byPrice'])
    expect(await fetchedAfter("update products set category = 'Globes' where id = 9001")).toEqual([
      ...['newest', 'byPrice', 'cheapest', 'byName', 'inStock', 'cheap'],
    ])
  })

  test("a user's orders are sorted by id and total", async () => {
    const [row] = await app.database.sql`select user_id from orders group by 1 having count(*) > 3 order by 1 limit 1`
    const orders = async (sortBy: string) => {
      const { data } = await app.query(
        `{ user(id: "user_${row?.user_id}") { orders(first: 100, sortBy: ${sortBy}) { nodes { id total } totalCount } } }`,
      )
      return data.user.orders.nodes as { id: string; total: number }[]
    }
    const newest = await orders('NEWEST')
    expect(await orders('OLDEST')).toEqual(newest.toReversed())
    const position = new Map(newest.map(({ id }, index) => [id, index]))
    const byTotal = newest.toSorted((a, b) => b.total - a.total || (position.get(a.id) ?? 0) - (position.get(b.id) ?? 0))
    expect(await orders('TOTAL_DESC')).toEqual(byTotal)
  })
})
