import fastify from 'fastify'
import { mercurius } from 'mercurius'
import mercuriusCache from 'mercurius-cache'
import { address, announce, invalidatesAfterWrite, ttlSeconds } from './shared/environment.js'
import { createRedis } from './shared/redis.js'
import * as rows from './shared/rows.js'
import { typeDefs } from './shared/type-defs.js'

// Mercurius with compiled queries and loaders on Postgres, and mercurius-cache on Redis in front of them: a GET per cached field.
// With invalidation, each cached field is stored with references to the products that it holds, and a mutation invalidates by
// reference.

const server = fastify()

await server.register(mercurius, {
  schema: typeDefs,
  jit: 1,
  resolvers: {
    Query: {
      product: (_: unknown, { id }: { id: string }) => fetchOne(rows.products, id),
      order: (_: unknown, { id }: { id: string }) => fetchOne(rows.orders, id),
      user: (_: unknown, { id }: { id: string }) => fetchOne(rows.users, id),
    },
    Mutation: {
      updateProductStock: async (_: unknown, { productId, stock }: { productId: string; stock: number }) => ({
        product: await rows.updateStock(productId, stock),
      }),
    },
  },
  loaders: {
    Order: {
      user: async (queries: { obj: rows.Order }[]) => {
        const users = await rows.users(queries.map(({ obj }) => obj.userId))
        return queries.map(({ obj }) => users.get(obj.userId) ?? null)
      },
      products: async (queries: { obj: rows.Order }[]) => {
        const products = await rows.products(queries.flatMap(({ obj }) => obj.productIds))
        return queries.map(({ obj }) => obj.productIds.map((id) => products.get(id) ?? null))
      },
    },
    User: {
      orders: (queries: { obj: rows.User; params: { first: number } }[]) => Promise.all(queries.map(fetchConnection)),
    },
  },
})

await server.register(mercuriusCache.default, {
  ttl: ttlSeconds,
  storage: {
    type: 'redis',
    options: {
      client: createRedis(),
      ...(invalidatesAfterWrite && { invalidation: { invalidate: true, referencesTTL: ttlSeconds } }),
    },
  },
  // Keys are ids; the default is to use the JSON of the whole parent.
  policy: {
    Query: { product: { key: idArgument, ...referencesTo(productIdOf) }, order: { key: idArgument }, user: { key: idArgument } },
    Order: {
      user: { key: ({ self }: { self: rows.Order }) => self.userId },
      products: { key: ({ self }: { self: rows.Order }) => self.id, ...referencesTo(productIdsOf) },
    },
    User: {
      orders: { key: ({ self, arg }: { self: rows.User; arg: { first: number } }) => `${self.id} ${arg.first}` },
    },
    ...(invalidatesAfterWrite && {
      Mutation: {
        updateProductStock: { invalidate: (_: unknown, { productId }: { productId: string }) => [productId] },
      },
    }),
  },
})

/** The option `references` of a cached field, if writes invalidate */
function referencesTo<Value>(idsOf: (value: Value) => string[]) {
  return invalidatesAfterWrite ? { references: (_: unknown, _key: string, value: Value) => idsOf(value) } : {}
}

function productIdOf(product: rows.Product | null): string[] {
  return product ? [product.id] : []
}

function productIdsOf(products: (rows.Product | null)[]): string[] {
  return products.flatMap(productIdOf)
}

function idArgument({ arg }: { arg: { id: string } }): string {
  return arg.id
}

async function fetchOne<V>(fetch: rows.FetchRows<V>, id: string): Promise<V | null> {
  return (await fetch([id])).get(id) ?? null
}

async function fetchConnection({ obj, params }: { obj: rows.User; params: { first: number } }) {
  const ids = (await rows.userOrderIds(params.first)([obj.id])).get(obj.id) ?? []
  const orders = await rows.orders(ids)
  return { nodes: ids.map((id) => orders.get(id)) }
}

await server.listen(address)
announce()
