import fastify from 'fastify'
import { mercurius } from 'mercurius'
import { type Kind, readMany, readOne } from './shared/cache-aside.js'
import { address, announce } from './shared/environment.js'
import { ORDER, PRODUCT, USER, userOrders } from './shared/kinds.js'
import { createRedis } from './shared/redis.js'
import type { Order, Product, User } from './shared/rows.js'
import { typeDefs } from './shared/type-defs.js'
import { updateStock } from './shared/update-stock.js'

// Mercurius with compiled queries and loaders: a loader sends one MGET for all keys requested in a tick.

const redis = createRedis()
const server = fastify()

await server.register(mercurius, {
  schema: typeDefs,
  jit: 1,
  resolvers: {
    Query: {
      product: (_: unknown, { id }: { id: string }) => readOne(redis, PRODUCT, id),
      order: (_: unknown, { id }: { id: string }) => readOne(redis, ORDER, id),
      user: (_: unknown, { id }: { id: string }) => readOne(redis, USER, id),
    },
    Mutation: {
      updateProductStock: async (_: unknown, { productId, stock }: { productId: string; stock: number }) => ({
        product: await updateStock(redis, productId, stock),
      }),
    },
  },
  loaders: {
    Order: {
      user: (queries: { obj: Order }[]) =>
        readMany(
          redis,
          USER,
          queries.map(({ obj }) => obj.userId),
        ),
      products: async (queries: { obj: Order }[]) => {
        const products = await readDistinct(
          PRODUCT,
          queries.flatMap(({ obj }) => obj.productIds),
        )
        return queries.map(({ obj }) => obj.productIds.map((id) => products.get(id) ?? null))
      },
    },
    User: {
      orders: (queries: { obj: User; params: { first: number } }[]) => Promise.all(queries.map(readConnection)),
    },
    OrderConnection: {
      nodes: async (queries: { obj: { ids: string[] } }[]) => {
        const orders = await readDistinct(
          ORDER,
          queries.flatMap(({ obj }) => obj.ids),
        )
        return queries.map(({ obj }) => obj.ids.map((id) => orders.get(id)))
      },
    },
  },
})

async function readConnection({ obj, params }: { obj: User; params: { first: number } }) {
  return { ids: await readOne(redis, userOrders(params.first), obj.id) }
}

async function readDistinct<V extends Order | Product>(kind: Kind<V>, ids: string[]): Promise<Map<string, V | null>> {
  const distinct = [...new Set(ids)]
  const values = await readMany(redis, kind, distinct)
  return new Map(distinct.map((id, index) => [id, values[index] as V | null]))
}

await server.listen(address)
announce()
