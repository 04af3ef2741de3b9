import DataLoader from 'dataloader'
import { serveApollo } from './shared/apollo.js'
import { type Kind, readMany, readOne } from './shared/cache-aside.js'
import { ORDER, PRODUCT, USER, userOrders } from './shared/kinds.js'
import { createRedis } from './shared/redis.js'
import { type Context, schema } from './shared/type-graphql.js'
import { updateStock } from './shared/update-stock.js'

// Apollo Server + TypeGraphQL + DataLoader: one MGET for all keys requested in a tick.

const redis = createRedis()

function createContext(): Context {
  const [products, users, orders] = [createLoader(PRODUCT), createLoader(USER), createLoader(ORDER)]
  return {
    product: (id) => products.load(id),
    user: (id) => users.load(id),
    order: (id) => orders.load(id),
    userOrderIds: async (userId, first) => (await readOne(redis, userOrders(first), userId)) ?? [],
    updateStock: (productId, stock) => updateStock(redis, productId, stock),
  }
}

function createLoader<V>(kind: Kind<V>): DataLoader<string, V | null> {
  return new DataLoader((ids) => readMany(redis, kind, ids))
}

await serveApollo(schema, createContext)
