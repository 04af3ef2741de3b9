import { orderAnswer, productAnswer, userAnswer } from './pieces/answers.js'
import { splitIds, splitOrder, userOrdersKey } from './pieces/pieces.js'
import { readPieces, readPiecesBatched } from './pieces/source.js'
import { type Answer, serve } from './shared/http.js'

// Faster than the limit: Redis stores prepared fragments of exactly these three answers, which are only concatenated. The MGETs
// for few keys of concurrent requests are batched. For the products of a list, batching was measured to be slower: Redis and this
// process would wait for each other.

const answer: Answer = (operationName, { id }) => {
  if (operationName === 'Product') return product(id)
  return operationName === 'Order' ? order(id) : user(id)
}

async function product(id: string): Promise<string> {
  const [piece] = await readPiecesBatched([id])
  return productAnswer(piece)
}

async function order(id: string): Promise<string> {
  const [piece] = await readPiecesBatched([id])
  if (piece == null) return '{"data":{"order":null}}'
  const parts = splitOrder(piece)
  return orderAnswer(parts, await readPiecesBatched([parts.userId, ...parts.productIds]))
}

async function user(id: string): Promise<string> {
  const [piece, list] = await readPiecesBatched([id, userOrdersKey(id)])
  if (piece == null) return '{"data":{"user":null}}'
  const orderIds = splitIds(list ?? '')
  const orders = orderIds.length > 0 ? await readPiecesBatched(orderIds) : []
  const parts = orders.filter((order) => order !== null).map(splitOrder)
  const productIds = parts.flatMap(({ productIds }) => productIds)
  return userAnswer(piece, parts, productIds.length > 0 ? await readPieces(productIds) : [])
}

serve(answer)
