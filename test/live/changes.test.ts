import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { TestApp } from '../helpers/app.js'
import { backends } from '../helpers/backends.js'
import {
  orderCreated,
  productChanged,
  subscriber,
  type TestSubscriber,
  transports,
  waitUntilSubscribed,
  waitUntilSubscribedToOrders,
} from '../helpers/live.js'
import { until } from '../helpers/until.js'

describe.each(backends)('subscribers, with the cache in %s', (_, { skip, start }) => {
  describe.skipIf(skip).each(transports)('over %s', (transport) => {
    let app: TestApp
    let client: TestSubscriber
    beforeAll(async () => {
      app = await start()
      client = subscriber(app, transport)
    })
    afterAll(async () => {
      client.close()
      await app.stop()
    })

    test('receive a change made by psql and one made by a mutation, each once, with the new value', async () => {
      await app.query('{ product(id: "product_1") { name } }')
      const subscription = client.subscribe(productChanged, { ids: ['product_1', 'product_2'] })
      await waitUntilSubscribed(app, subscription, 1)
      await app.database.sql`update products set name = 'By psql' where id in (1, 3)`
      await subscription.take(1)
      await app.query('mutation { updateProductStock(productId: "product_2", stock: 4321) { product { id } } }')
      const results = await subscription.take(2)
      expect(results.map(({ data }) => [data.productChanged.id, data.productChanged.product])).toEqual([
        ['product_1', expect.objectContaining({ name: 'By psql' })],
        ['product_2', expect.objectContaining({ stock: 4321 })],
      ])
      subscription.stop()
    })

    test('receive nothing for an update that changes nothing, nor for one that is rolled back', async () => {
      const subscription = client.subscribe(productChanged, { ids: ['product_5'] })
      await waitUntilSubscribed(app, subscription, 5)
      await app.database.sql`update products set stock = stock where id = 5`
      await app.database.sql
        .begin(async (transaction) => {
          await transaction`update products set stock = 1 where id = 5`
          throw new Error('roll back')
        })
        .catch(() => undefined)
      await app.database.sql`update products set stock = 77 where id = 5`
      const results = await subscription.take(1)
      expect(results).toEqual([
        { data: { productChanged: { id: 'product_5', product: expect.objectContaining({ stock: 77 }) } } },
      ])
      subscription.stop()
    })

    test('receive null for a deleted product', async () => {
      const subscription = client.subscribe(productChanged, { ids: ['product_40'] })
      await waitUntilSubscribed(app, subscription, 40)
      await app.database.sql`delete from products where id = 40`
      expect(await subscription.take(1)).toEqual([{ data: { productChanged: { id: 'product_40', product: null } } }])
      subscription.stop()
    })

    test('receive every order of a user, made by a mutation or by psql, with the new stock', async () => {
      const { data } = await app.query('{ product(id: "product_9") { stock } }')
      const subscription = client.subscribe(orderCreated, { userId: 'user_7' })
      await waitUntilSubscribedToOrders(app, subscription, 7)
      await app.query('mutation { createOrder(input: { userId: "user_7", productIds: ["product_9"] }) { order { id } } }')
      const [first] = await subscription.take(1)
      expect(first?.data.orderCreated.products).toEqual([{ stock: data.product.stock - 1 }])
      await app.database.sql`insert into orders (user_id, total_cents) select 7, number * 100 from generate_series(1, 200) number`
      const results = await subscription.take(201)
      expect(results.slice(1).map((result) => result.data.orderCreated.total)).toEqual(
        Array.from({ length: 200 }, (_, index) => index + 1),
      )
      subscription.stop()
    })

    test('receive an order of a user created in the same transaction', async () => {
      const id = 900_001 + transports.indexOf(transport)
      expect((await app.query(`{ user(id: "user_${id}") { name } }`)).data.user).toBeNull()
      const subscription = client.subscribe(orderCreated, { userId: `user_${id}` })
      await until(async () => {
        await app.database.sql.begin(async (transaction) => {
          await transaction`insert into users (id, email, name) values (${id}, ${`new${id}@example.com`}, 'New') on conflict do nothing`
          await transaction`insert into orders (user_id, total_cents) values (${id}, 1)`
        })
        return subscription.results.length > 0
      })
      expect(subscription.results[0]?.data.orderCreated.user).toEqual({ name: 'New' })
      subscription.stop()
    })

    test.each([
      ['no ids', productChanged, { ids: [] }, 'BAD_USER_INPUT'],
      ['101 ids', productChanged, { ids: Array.from({ length: 101 }, (_, index) => `product_${index + 1}`) }, 'LIMIT_EXCEEDED'],
      ['ids of something else', productChanged, { ids: ['user_1'] }, 'BAD_USER_INPUT'],
      ['no variable', productChanged, {}, 'BAD_USER_INPUT'],
      ['a query', '{ stats { totalUsers } }', {}, 'SUBSCRIPTIONS_ONLY'],
      ['a mutation', 'mutation { deleteUser(id: "user_1") { deletedUserId } }', {}, 'SUBSCRIPTIONS_ONLY'],
      ['broken text', 'subscription {', {}, 'GRAPHQL_PARSE_FAILED'],
      ['an unknown field', 'subscription { nothing }', {}, 'GRAPHQL_VALIDATION_FAILED'],
    ])('are refused %s', async (_name, query, variables, code) => {
      if (transport === 'WebSocket') {
        const subscription = client.subscribe(query, variables)
        await until(() => subscription.end.state !== 'open')
        expect(subscription.end).toMatchObject({ error: [{ extensions: { code, requestId: expect.any(String) } }] })
      } else {
        const response = await fetch(`${app.origin}/graphql/stream`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', accept: 'text/event-stream' },
          body: JSON.stringify({ query, variables }),
        })
        expect(response.status).toBe(200)
        const requestId = response.headers.get('x-request-id')
        const [, data = ''] = /^event: next\ndata: (.*)\n\nevent: complete\ndata:\n\n$/.exec(await response.text()) ?? []
        expect(JSON.parse(data)).toMatchObject({ errors: [{ extensions: { code, requestId } }] })
      }
    })
  })
})
