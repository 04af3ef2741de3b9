import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../helpers/app.js'
import { lock, waitingStatements } from '../helpers/locks.js'
import { noRedis, startRedis, type TestRedis } from '../helpers/redis.js'
import { until } from '../helpers/until.js'

const lockProducts = 'lock table products in access exclusive mode'
const exceeded = (path: (string | number)[]) => ({
  path,
  extensions: { code: 'DEADLINE_EXCEEDED', requestId: expect.any(String) },
})

let app: TestApp
let release: () => Promise<void>
const start = async (env: Record<string, string>) => {
  app = await startTestApp({ env })
}
afterEach(async () => {
  await release?.().catch(() => undefined)
})

async function untilNoneWaits() {
  await until(async () => (await waitingStatements(app.database)).length === 0)
}

async function untilWaiting(count = 1) {
  await until(async () => (await waitingStatements(app.database)).length === count)
}

/** Sends a request from a client that can disconnect. */
function sendAsClient(document: string) {
  const client = new AbortController()
  const body = JSON.stringify({ query: document })
  const headers = { 'content-type': 'application/json', connection: 'close' }
  const answer = fetch(`${app.origin}/graphql`, { method: 'POST', headers, body, signal: client.signal }).then(
    (response) => response.json() as Promise<{ data: Record<string, unknown> }>,
  )
  answer.catch(() => undefined)
  return { answer, disconnect: () => client.abort() }
}

const createOrder = (key: string, products = '["product_1"]') => `mutation {
  createOrder(input: { userId: "user_1", productIds: ${products} }, idempotencyKey: "${key}") {
    order { id products { id } } replayed userErrors { code }
  }
}`

describe('a request past its deadline', () => {
  beforeAll(() => start({ REQUEST_TIMEOUT_MS: '1000' }))
  afterAll(() => app.stop())

  test('gets the finished fields and an error for the others, and its statement is cancelled', async () => {
    // Caches the order, so that it is answered in time on a busy machine too.
    await until(async () => (await app.query('{ order(id: "order_1") { id } }')).errors === undefined)
    release = await lock(app.database, lockProducts)
    const { data, errors } = await app.query('{ order(id: "order_1") { id } product(id: "product_1") { id } }')
    expect(data).toEqual({ order: { id: 'order_1' }, product: null })
    expect(errors).toMatchObject([
      { message: 'The request took longer than 1000 ms and was cancelled, try again in a moment', ...exceeded(['product']) },
    ])
    await untilNoneWaits()
    await release()
    expect((await app.query('{ product(id: "product_1") { id } }')).data.product).toEqual({ id: 'product_1' })
  })

  test.each([
    ['cached pages', '{ products(first: 3, category: "Books") { nodes { id } } }', lockProducts],
    ['pages that are not cached', '{ users(first: 3) { nodes { id } } }', 'lock table users in access exclusive mode'],
    ['totals', '{ stats { totalOrders } }', lockProducts],
  ])('leaves no statement running: %s', async (_, document, locks) => {
    release = await lock(app.database, locks)
    expect((await app.query(document)).errors).toMatchObject([{ extensions: { code: 'DEADLINE_EXCEEDED' } }])
    await untilNoneWaits()
  })

  test('with a compiled query, too', async () => {
    const document = (id: string) => `query Hot { hot: product(id: "${id}") { id name } }`
    for (let count = 0; count < 3; count += 1) await app.query(document('product_7'))
    await app.query('mutation { flushCache(namespace: PRODUCTS) { namespace } }')
    release = await lock(app.database, lockProducts)
    expect((await app.query(document('product_7'))).errors).toMatchObject([exceeded(['hot'])])
    await untilNoneWaits()
  })

  test('starts no further loads: the statements that would have followed are not sent', async () => {
    release = await lock(app.database, 'lock table orders in access exclusive mode')
    app.takeStatements()
    const { errors } = await app.query('{ order(id: "order_9") { user { id } products { id } } }')
    expect(errors).toMatchObject([exceeded(['order'])])
    await release()
    expect(app.takeStatements().filter((text) => /users|products/.test(text))).toEqual([])
  })

  test('completes a mutation that has started: the order is created once, although reading it takes too long', async () => {
    const [before] = await app.database.sql`select stock from products where id = 1`
    const key = 'completed'
    const releaseRow = await lock(app.database, 'select 1 from products where id = 1 for update')
    const placing = app.query(createOrder(key))
    await untilWaiting()
    // The deadline passes while it waits, because a later request has passed its own.
    const releaseOrders = await lock(app.database, 'lock table orders in access exclusive mode')
    await app.query('{ order(id: "order_200") { id } }')
    await releaseOrders()
    await releaseRow()
    const { data, errors } = await placing
    expect(data.createOrder).toEqual({ order: null, replayed: false, userErrors: [] })
    expect(errors).toMatchObject([exceeded(['createOrder', 'order'])])
    const again = await app.query(createOrder(key))
    expect(again.data.createOrder).toMatchObject({ order: { products: [{ id: 'product_1' }] }, replayed: true })
    const [after] = await app.database.sql`select stock from products where id = 1`
    expect(after?.stock).toBe(before?.stock - 1)
  })
})

describe('a mutation that has not started at its deadline', () => {
  beforeAll(() => start({ REQUEST_TIMEOUT_MS: '1000', DATABASE_POOL: '1' }))
  afterAll(() => app.stop())

  test('is refused immediately, and is not executed later', async () => {
    release = await lock(app.database, 'select 1 from products where id = 1 for update')
    const first = app.query('mutation { updateProductStock(productId: "product_1", stock: 50) { userErrors { code } } }')
    await untilWaiting()
    const { data, errors } = await app.query(
      'mutation { updateProductStock(productId: "product_2", stock: 4711) { userErrors { code } } }',
    )
    expect(data).toBe(null)
    expect(errors).toMatchObject([exceeded(['updateProductStock'])])
    await release()
    expect((await first).data.updateProductStock).toEqual({ userErrors: [] })
    expect((await app.query('{ product(id: "product_2") { stock } }')).data.product.stock).not.toBe(4711)
  })
})

describe('a client that disconnects', () => {
  beforeAll(() => start({ DATABASE_POOL: '2' }))
  afterAll(() => app.stop())

  test('cancels its statement', async () => {
    release = await lock(app.database, lockProducts)
    const client = sendAsClient('{ product(id: "product_20") { id } }')
    await untilWaiting()
    client.disconnect()
    await untilNoneWaits()
  })

  test('cancels a shared statement only if it is the last one waiting for it', async () => {
    const document = '{ product(id: "product_21") { id } }'
    release = await lock(app.database, lockProducts)
    app.takeStatements()
    const [first, second, third] = [sendAsClient(document), sendAsClient(document), sendAsClient(document)]
    await untilWaiting()
    await until(async () => (await cacheStats()).coalesced === 2)
    first.disconnect()
    second.disconnect()
    await untilTwoHaveLeft()
    expect(await waitingStatements(app.database)).toHaveLength(1)
    await release()
    expect((await third.answer).data).toEqual({ product: { id: 'product_21' } })
    expect(app.takeStatements().filter((text) => text.includes('products'))).toHaveLength(1)
  })

  test('cancels statements that wait for a connection, and no connection is lost', async () => {
    release = await lock(app.database, lockProducts)
    const clients = Array.from({ length: 8 }, (_, index) => sendAsClient(`{ product(id: "product_${100 + index}") { id } }`))
    // One or two: the server's own statements may occupy one of the connections.
    await until(async () => (await waitingStatements(app.database)).length > 0)
    for (const { disconnect } of clients) disconnect()
    await untilNoneWaits()
    await release()
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, index) => app.query(`{ product(id: "product_${100 + index}") { id } }`)),
    )
    expect(answers.map(({ data }) => data.product.id)).toEqual(Array.from({ length: 8 }, (_, index) => `product_${100 + index}`))
  })

  test('during its mutation and retries it gets one order', async () => {
    const [before] = await app.database.sql`select stock from products where id = 3`
    const document = createOrder('gone', '["product_3"]')
    release = await lock(app.database, 'select 1 from products where id = 3 for update')
    const client = sendAsClient(document)
    await untilWaiting()
    client.disconnect()
    const again = sendAsClient(document)
    await untilWaiting(2)
    await release()
    expect((await again.answer).data.createOrder).toMatchObject({ replayed: true, userErrors: [] })
    const [after] = await app.database.sql`select stock from products where id = 3`
    expect(after?.stock).toBe(before?.stock - 1)
  })

  async function cacheStats() {
    const { data } = await app.query('{ stats { caches { namespace coalesced } } }')
    return data.stats.caches.find(({ namespace }: { namespace: string }) => namespace === 'PRODUCTS')
  }

  /** Waits until the server has noticed that the first two disconnected: it has noticed a third one, which disconnected later. */
  async function untilTwoHaveLeft() {
    const releaseUsers = await lock(app.database, 'lock table users in access exclusive mode')
    const witness = sendAsClient('{ users(first: 1) { nodes { id } } }')
    await untilWaiting(2)
    witness.disconnect()
    await untilWaiting(1)
    await releaseUsers()
  }
})

test('a cancellation that hits the wrong statement affects no request', async () => {
  await start({})
  try {
    const cancel = () => app.database.sql`
      select pg_cancel_backend(pid) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`
    release = await lock(app.database, lockProducts)
    const read = app.query('{ product(id: "product_1") { id } }')
    const write = app.query(createOrder('hit'))
    await untilWaiting(2)
    await cancel()
    await untilWaiting(2)
    await release()
    expect((await read).data).toEqual({ product: { id: 'product_1' } })
    expect((await write).data.createOrder).toMatchObject({ replayed: false, userErrors: [] })
  } finally {
    await app.stop()
  }
})

// The timeout is between the deadline of the request and the timeout of Redis commands in tests, which is a minute.
test.skipIf(noRedis)('a hung Redis does not delay a request past its deadline', { timeout: 30_000 }, async () => {
  const redis: TestRedis = await startRedis()
  app = await startTestApp({ redisUrl: redis.url, env: { REQUEST_TIMEOUT_MS: '1000' } })
  try {
    await app.query('{ product(id: "product_1") { id } }')
    redis.freeze()
    expect((await app.query('{ product(id: "product_1") { id } }')).errors).toMatchObject([exceeded(['product'])])
  } finally {
    redis.thaw()
    await app.stop()
    await redis.stop()
  }
})
