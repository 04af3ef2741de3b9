import { orderAnswer, productAnswer, userAnswer } from './limit/answers.js'
import { type Kind, readOne } from './shared/cache-aside.js'
import { serve } from './shared/http.js'
import { ORDER, PRODUCT, USER, userOrders } from './shared/kinds.js'
import { createRedis } from './shared/redis.js'
import type { Order, Product, User } from './shared/rows.js'

// LIMIT with all it has read once in Maps: what a process could do if it never had to ask anybody, and never had to hear of a change.

const redis = createRedis()

/** Values by id, and how to learn those that are not there yet. */
class Known<V> {
  private readonly values = new Map<string, V | null>()

  constructor(private readonly kind: Kind<V>) {}

  /** undefined, and noted, where it has to be learned first */
  look(id: string, missing: Promise<unknown>[]): V | null | undefined {
    const value = this.values.get(id)
    if (value === undefined) missing.push(this.learn(id))
    return value
  }

  private async learn(id: string): Promise<void> {
    this.values.set(id, await readOne(redis, this.kind, id))
  }
}

const known = {
  users: new Known<User>(USER),
  products: new Known<Product>(PRODUCT),
  orders: new Known<Order>(ORDER),
  userOrders: new Known<string[]>(userOrders(20)),
}

/** Answers from what is known, or notes what is not. */
type Attempt = (id: string, missing: Promise<unknown>[]) => string

const attempts: Record<string, Attempt> = {
  Product: (id, missing) => productAnswer(known.products.look(id, missing)),
  Order(id, missing) {
    const order = known.orders.look(id, missing)
    if (!order) return '{"data":{"order":null}}'
    const bought = order.productIds.map((productId) => known.products.look(productId, missing))
    return orderAnswer(order, known.users.look(order.userId, missing), bought)
  },
  UserOrders(id, missing) {
    const user = known.users.look(id, missing)
    const orderIds = known.userOrders.look(id, missing)
    if (!user) return '{"data":{"user":null}}'
    const found = (orderIds ?? []).flatMap((orderId) => known.orders.look(orderId, missing) ?? [])
    const productIds = found.flatMap((order) => order.productIds)
    return userAnswer(
      user,
      found,
      productIds.map((productId) => known.products.look(productId, missing)),
    )
  },
}

function answer(attempt: Attempt, id: string): string | Promise<string> {
  const missing: Promise<unknown>[] = []
  const text = attempt(id, missing)
  return missing.length === 0 ? text : Promise.all(missing).then(() => answer(attempt, id))
}

serve((operationName, id) => answer(attempts[operationName] as Attempt, id))
