import { orderAnswer, productAnswer, userAnswer } from './limit/answers.js'
import { readPair } from './limit/read-pair.js'
import { readMany } from './shared/cache-aside.js'
import { type Answer, serve } from './shared/http.js'
import { ORDER, PRODUCT, USER, userOrders } from './shared/kinds.js'
import { createRedis } from './shared/redis.js'

// LIMIT, the yardstick: what one writes by hand where nobody asks for GraphQL. The entries that everybody caches, the fewest MGETs that
// give each answer, and the answer concatenated from what they bring. Pipelined by ioredis where that was measured to help.

const redis = createRedis()
const FIRST_ORDERS = userOrders(20)
const pipelined = createRedis({ enableAutoPipelining: true })

const answer: Answer = (operationName, id) => {
  if (operationName === 'Product') return product(id)
  return operationName === 'Order' ? order(id) : user(id)
}

async function product(id: string): Promise<string> {
  const [its] = await readMany(pipelined, PRODUCT, [id])
  return productAnswer(its)
}

async function order(id: string): Promise<string> {
  const [its] = await readMany(pipelined, ORDER, [id])
  if (!its) return '{"data":{"order":null}}'
  const [[by], bought] = await readPair(pipelined, [USER, [its.userId]], [PRODUCT, its.productIds])
  return orderAnswer(its, by, bought)
}

async function user(id: string): Promise<string> {
  const [[its], [orderIds]] = await readPair(redis, [USER, [id]], [FIRST_ORDERS, [id]])
  if (!its) return '{"data":{"user":null}}'
  if (!orderIds?.length) return userAnswer(its, [], [])
  const found = (await readMany(redis, ORDER, orderIds)).filter((order) => order !== null)
  const productIds = found.flatMap((order) => order.productIds)
  return userAnswer(its, found, await readMany(redis, PRODUCT, productIds))
}

serve(answer)
