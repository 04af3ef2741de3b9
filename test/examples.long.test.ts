import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestApp, type TestApp } from './helpers/app.js'
import { installPackages, npm } from './helpers/packages.js'

let app: TestApp
beforeAll(async () => {
  app = await startTestApp()
})
afterAll(() => app.stop())

const clientPackages = await installPackages('examples/client')
const relayPackages = await installPackages('examples/relay')

describe.skipIf(clientPackages.state === 'unreachable')('examples/client', () => {
  test('its documents are valid for the schema, and its code type-checks against the generated types', async () => {
    await npm('examples/client', 'run', 'check')
  })

  test('it reads, pages forwards and backwards, places one order with two requests, and reports both kinds of errors', async () => {
    const output = await npm('examples/client', 'start', '--silent', '--', `${app.origin}/graphql`)
    const [read, first, second, back, sent, replayed, userError, error] = output.trim().split('\n').slice(-8)
    expect(read).toBe('Tara Kaya bought Wooden Spinning Top, Lavender Candle, Brass Letter Tray, Brass Vase for 226.66')
    expect(first).toBe('page 1: product_500 product_499 product_498, next page: true')
    expect(second).toBe('page 2: product_497 product_496 product_495, previous page: true')
    expect(back).toBe('back to page 1: product_500 product_499 product_498')
    expect(sent).toBe('sent the first time: order_251, replayed: false')
    expect(replayed).toBe('sent the second time: order_251, replayed: true')
    expect(userError).toBe('order: none, NOT_FOUND at input.productIds.0: There is no product product_0')
    expect(error).toMatch(/^BAD_USER_INPUT: first must be between 0 and 100 \(request [\da-f-]{36}\)$/)
    expect(await app.database.sql`select count(*)::int from orders`).toEqual([{ count: 251 }])
  })
})

describe.skipIf(relayPackages.state === 'unreachable')('examples/relay', () => {
  beforeAll(async () => {
    await npm('examples/relay', 'run', 'generate')
  })

  /** The server's response to the document as compiled by Relay */
  async function ask(operation: string, variables: Record<string, unknown>) {
    const artifact = await readFile(`examples/relay/src/__generated__/${operation}.graphql.ts`, 'utf8')
    const [, text = '""'] = /^ *"text": (".*")$/m.exec(artifact) ?? []
    const { data, errors } = await app.query(JSON.parse(text), variables)
    expect(errors).toBeUndefined()
    return data
  }

  test('the next page of a connection is loaded through node(id), as required by @refetchable and @connection', async () => {
    const buyer = (await app.query('{ order(id: "order_1") { userId } }')).data.order.userId
    const all = (await app.query(`{ user(id: "${buyer}") { orders(first: 100) { nodes { id } } } }`)).data.user.orders.nodes
    const opened = (await ask('userOrdersQuery', { id: buyer })).user.orders
    const ids = opened.edges.map(({ node }: { node: { id: string } }) => node.id)
    expect(ids).toEqual(all.slice(0, 10).map(({ id }: { id: string }) => id))

    const page = (await ask('userOrdersPageQuery', { id: buyer, count: 1 })).node.orders
    expect(page.edges).toMatchObject([{ cursor: page.pageInfo.endCursor, node: { id: all[0].id, __typename: 'Order' } }])
    const next = (await ask('userOrdersPageQuery', { id: buyer, count: 1, cursor: page.pageInfo.endCursor })).node.orders
    expect(next.edges.map(({ node }: { node: { id: string } }) => node.id)).toEqual(
      all.slice(1, 2).map(({ id }: { id: string }) => id),
    )
  })

  test('an object is refetched by its id', async () => {
    expect(await ask('productStockRefetchQuery', { id: 'product_1' })).toMatchObject({
      node: { __typename: 'Product', id: 'product_1', name: expect.any(String), stock: expect.any(Number) },
    })
  })

  test('a mutation returns the data that Relay writes to its store', async () => {
    const { createOrder } = await ask('createOrderMutation', {
      input: { userId: 'user_1', productIds: ['product_2'] },
      key: 'of the relay example',
    })
    expect(createOrder).toMatchObject({
      order: { id: expect.stringMatching(/^order_\d+$/), products: [{ id: 'product_2' }] },
      replayed: false,
      userErrors: [],
    })
  })
})
