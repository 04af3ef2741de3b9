import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freePort } from '../tools/free-port.js'
import { startTestApp, type TestApp } from './helpers/app.js'
import { installPackages, npm } from './helpers/packages.js'
import { adminToken, secret } from './helpers/tokens.js'

let app: TestApp
beforeAll(async () => {
  app = await startTestApp()
})
afterAll(() => app.stop())

const clientPackages = await installPackages('examples/client')
const relayPackages = await installPackages('examples/relay')

/** Starts the example, after its types have been generated. */
async function startClient(env: Record<string, string>): Promise<string> {
  const options = { cwd: 'examples/client', env: { ...process.env, ...env } }
  return (await promisify(execFile)(process.execPath, ['--import', 'tsx', 'src/main.ts'], options)).stdout
}

describe.skipIf(clientPackages.state === 'unreachable')('examples/client', () => {
  let checked: Promise<string>
  beforeAll(async () => {
    // Generates the types too, which all tests need.
    checked = npm('examples/client', 'run', 'check')
    await checked.catch(() => undefined)
  })

  test('its documents are valid for the schema, and its code type-checks against the generated types', async () => {
    await checked
  })

  test('it reads, pages forwards and backwards, places one order with two requests, and reports both kinds of errors', async () => {
    const output = await startClient({ SHOP_URL: `${app.origin}/graphql` })
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

  test('it sends a token; without one, it says how to make it', async () => {
    const closed = await startTestApp({ env: { AUTH_JWT_SECRET: secret } })
    const url = { SHOP_URL: `${closed.origin}/graphql` }
    expect(await startClient({ ...url, SHOP_TOKEN: await adminToken() })).toContain('Tara Kaya bought')
    for (const SHOP_TOKEN of ['', 'expired']) {
      await expect(startClient({ ...url, SHOP_TOKEN })).rejects.toMatchObject({
        code: 1,
        stderr: expect.stringMatching(
          /^http\S+ accepts only requests with a valid token\. Set SHOP_TOKEN.*\n.*\$\(npm run --silent token -- --role admin\)\n$/,
        ),
      })
    }
    await closed.stop()
  })

  test('it says what to start or to set if no server answers, or another one', async () => {
    const nobody = `http://127.0.0.1:${await freePort()}/graphql`
    await expect(startClient({ SHOP_URL: nobody })).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(
        /^No server answers at \S+ \(connect ECONNREFUSED.*\)\. Start it with npm start .*\n.*SHOP_URL=.*\n$/,
      ),
    })
    await expect(startClient({ SHOP_URL: `${app.origin}/elsewhere` })).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^\S+ returned status 404\. Set SHOP_URL .*\n$/),
    })
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
