import { createServer } from 'node:http'
import { createRedisCache } from '@envelop/response-cache-redis'
import { useResponseCache } from '@graphql-yoga/plugin-response-cache'
import DataLoader from 'dataloader'
import { createSchema, createYoga } from 'graphql-yoga'
import { address, announce, ttlSeconds } from './shared/environment.js'
import { createRedis } from './shared/redis.js'
import * as rows from './shared/rows.js'
import { typeDefs } from './shared/type-defs.js'

// GraphQL Yoga with Envelop's response cache on Redis (whole answers by document and variables); DataLoader and Postgres on a
// miss.

interface Context {
  products: DataLoader<string, rows.Product | null>
  users: DataLoader<string, rows.User | null>
  orders: DataLoader<string, rows.Order | null>
}

const schema = createSchema<Context>({
  typeDefs,
  resolvers: {
    Query: {
      product: (_, { id }: { id: string }, { products }) => products.load(id),
      order: (_, { id }: { id: string }, { orders }) => orders.load(id),
      user: (_, { id }: { id: string }, { users }) => users.load(id),
    },
    Mutation: {
      // The response cache invalidates every response with a product that the answer to a mutation holds.
      updateProductStock: async (_, { productId, stock }: { productId: string; stock: number }) => ({
        product: await rows.updateStock(productId, stock),
      }),
    },
    Order: {
      user: ({ userId }: rows.Order, _, { users }) => users.load(userId),
      products: ({ productIds }: rows.Order, _, { products }) => products.loadMany(productIds),
    },
    User: {
      orders: async ({ id }: rows.User, { first }: { first: number }, { orders }) => {
        const orderIds = (await rows.userOrderIds(first)([id])).get(id) ?? []
        return { nodes: orders.loadMany(orderIds) }
      },
    },
  },
})

const yoga = createYoga<object, Context>({
  schema,
  context: () => ({ products: createLoader(rows.products), users: createLoader(rows.users), orders: createLoader(rows.orders) }),
  plugins: [
    useResponseCache({
      session: () => null,
      ttl: ttlSeconds * 1000,
      cache: createRedisCache({ redis: createRedis() }),
    }),
  ],
})

function createLoader<V>(fetch: rows.FetchRows<V>): DataLoader<string, V | null> {
  return new DataLoader(async (ids) => {
    const found = await fetch(ids)
    return ids.map((id) => found.get(id) ?? null)
  })
}

createServer(yoga).listen(address, announce)
