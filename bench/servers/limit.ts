import { orderAnswer, productAnswer, stockAnswer, userAnswer } from './limit/answers.js'
import { readPair } from './limit/read-pair.js'
import { readMany } from './shared/cache-aside.js'
import { type Answer, serve } from './shared/http.js'
import { ORDER, PRODUCT, USER, userOrders } from './shared/kinds.js'
import { createRedis } from './shared/redis.js'
import { updateStock } from './shared/update-stock.js'

// The limit, the reference of the comparison: a server written by hand, without GraphQL. It caches the same entries as the other
// servers, uses the fewest possible MGETs, and concatenates the answers. Pipelined by ioredis where that was measured to help.

const redis = createRedis()
const FIRST_ORDERS = userOrders(20)
const pipelined = createRedis({ enableAutoPipelining: true })

const answer: Answer = (operationName, { id, stock }) => {
  if (operationName === 'Product') return product(id)
  if (operationName === 'Order') return order(id)
  return stock === undefined ? user(id) : write(id, stock)
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

async function write(id: string, stock: number): Promise<string> {
  const product = await updateStock(redis, id, stock)
  if (!product) throw new Error(`There is no product ${id}`)
  return stockAnswer(product)
}

serve(answer)
