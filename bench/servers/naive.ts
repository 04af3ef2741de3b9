import { serveApollo } from './shared/apollo.js'
import { readOne } from './shared/cache-aside.js'
import { ORDER, PRODUCT, USER, userOrders } from './shared/kinds.js'
import { createRedis } from './shared/redis.js'
import { type Context, schema } from './shared/type-graphql.js'
import { updateStock } from './shared/update-stock.js'

// Apollo Server + TypeGraphQL: every resolver reads from Redis separately.

const redis = createRedis()

const context: Context = {
  product: (id) => readOne(redis, PRODUCT, id),
  user: (id) => readOne(redis, USER, id),
  order: (id) => readOne(redis, ORDER, id),
  userOrderIds: async (userId, first) => (await readOne(redis, userOrders(first), userId)) ?? [],
  updateStock: (productId, stock) => updateStock(redis, productId, stock),
}

await serveApollo(schema, () => context)
