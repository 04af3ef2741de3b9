import { orderAnswer, productAnswer, userAnswer } from './limit/answers.js'
import { readPair } from './limit/read-pair.js'
import { readMany } from './shared/cache-aside.js'
import { type Answer, serve } from './shared/http.js'
import { ORDER, PRODUCT, USER, userOrders } from './shared/kinds.js'
import { createRedis } from './shared/redis.js'

// The limit, the reference of the comparison: a server written by hand, without GraphQL. It caches the same entries as the other
// servers, uses the fewest possible MGETs, and concatenates the answers. Pipelined by ioredis where that was measured to help.

const redis = createRedis()
const FIRST_ORDERS = userOrders(20)
const pipelined = createRedis({ enableAutoPipelining: true })

const answer: Answer = (operationName, id) => {
  if (operationName === 'Product') return product(id)
  return operationName === 'Order' ? order(id) : user(id)
}

async function product(id: string): Promise<string> {
  const [found] = await readMany(pipelined, PRODUCT, [id])
  return productAnswer(found)
}

async function order(id: string): Promise<string> {
  const [found] = await readMany(pipelined, ORDER, [id])
  if (!found) return '{"data":{"order":null}}'
  const [[buyer], products] = await readPair(pipelined, [USER, [found.userId]], [PRODUCT, found.productIds])
  return orderAnswer(found, buyer, products)
}

async function user(id: string): Promise<string> {
  const [[found], [orderIds]] = await readPair(redis, [USER, [id]], [FIRST_ORDERS, [id]])
  if (!found) return '{"data":{"user":null}}'
  if (!orderIds?.length) return userAnswer(found, [], [])
  const orders = (await readMany(redis, ORDER, orderIds)).filter((order) => order !== null)
  const productIds = orders.flatMap((order) => order.productIds)
  return userAnswer(found, orders, await readMany(redis, PRODUCT, productIds))
}

serve(answer)
