import { orderAnswer, productAnswer, userAnswer } from './limit/answers.js'
import { type Kind, readOne } from './shared/cache-aside.js'
import { serve } from './shared/http.js'
import { ORDER, PRODUCT, USER, userOrders } from './shared/kinds.js'
import { createRedis } from './shared/redis.js'
import type { Order, Product, User } from './shared/rows.js'

// The limit with everything that it has read once in Maps: the upper bound for a process that needs no other server and no
// invalidation.

const redis = createRedis()

/** Values by id, loaded through Redis on first use */
class LocalMap<V> {
  private readonly values = new Map<string, V | null>()

  constructor(private readonly kind: Kind<V>) {}

  /** undefined if the value is not loaded yet; adds the promise of the load to `missing` */
  get(id: string, missing: Promise<unknown>[]): V | null | undefined {
    const value = this.values.get(id)
    if (value === undefined) missing.push(this.load(id))
    return value
  }

  private async load(id: string): Promise<void> {
    this.values.set(id, await readOne(redis, this.kind, id))
  }
}

const local = {
  users: new LocalMap<User>(USER),
  products: new LocalMap<Product>(PRODUCT),
  orders: new LocalMap<Order>(ORDER),
  userOrders: new LocalMap<string[]>(userOrders(20)),
}

/** Answers from local values and adds loads of absent ones to `missing`; the answer is only valid if none were added. */
type Attempt = (id: string, missing: Promise<unknown>[]) => string

const attempts: Record<string, Attempt> = {
  Product: (id, missing) => productAnswer(local.products.get(id, missing)),
  Order(id, missing) {
    const order = local.orders.get(id, missing)
    if (!order) return '{"data":{"order":null}}'
    const bought = order.productIds.map((productId) => local.products.get(productId, missing))
    return orderAnswer(order, local.users.get(order.userId, missing), bought)
  },
  UserOrders(id, missing) {
    const user = local.users.get(id, missing)
    const orderIds = local.userOrders.get(id, missing)
    if (!user) return '{"data":{"user":null}}'
    const found = (orderIds ?? []).flatMap((orderId) => local.orders.get(orderId, missing) ?? [])
    const productIds = found.flatMap((order) => order.productIds)
    return userAnswer(
      user,
      found,
      productIds.map((productId) => local.products.get(productId, missing)),
    )
  },
}

function answer(attempt: Attempt, id: string): string | Promise<string> {
  const missing: Promise<unknown>[] = []
  const text = attempt(id, missing)
  return missing.length === 0 ? text : Promise.all(missing).then(() => answer(attempt, id))
}

serve((operationName, { id }) => answer(attempts[operationName] as Attempt, id))
