import { orderAnswer, productAnswer, userAnswer } from './limit/answers.js'
import { serve } from './limit/http.js'
import { splitIds, splitOrder, userOrdersKey } from './limit/pieces.js'
import { readPieces } from './limit/source.js'

// LIMIT with all it has read once in a Map: what a process could do at best if it never had to ask anybody.

const near = new Map<string, string | null>()

/** Answers from what is near, or notes the keys that are not. */
type Attempt = (id: string, missing: string[]) => string

function product(id: string, missing: string[]): string {
  return productAnswer(look(id, missing))
}

function order(id: string, missing: string[]): string {
  const piece = look(id, missing)
  if (piece == null) return '{"data":{"order":null}}'
  const parts = splitOrder(piece)
  return orderAnswer(
    parts,
    [parts.userId, ...parts.productIds].map((key) => look(key, missing)),
  )
}

function user(id: string, missing: string[]): string {
  const piece = look(id, missing)
  if (piece == null) return '{"data":{"user":null}}'
  const orders = splitIds(look(userOrdersKey(id), missing) ?? '').flatMap((orderId) => look(orderId, missing) ?? [])
  const parts = orders.map(splitOrder)
  return userAnswer(
    piece,
    parts,
    parts.flatMap(({ productIds }) => productIds.map((key) => look(key, missing))),
  )
}

function look(key: string, missing: string[]): string | null | undefined {
  const piece = near.get(key)
  if (piece === undefined) missing.push(key)
  return piece
}

function answer(attempt: Attempt, id: string): string | Promise<string> {
  const missing: string[] = []
  const text = attempt(id, missing)
  return missing.length === 0 ? text : learn(missing).then(() => answer(attempt, id))
}

async function learn(keys: string[]): Promise<void> {
  const pieces = await readPieces(keys)
  for (const [index, key] of keys.entries()) near.set(key, pieces[index] ?? null)
}

const attempts: Record<string, Attempt> = { Product: product, Order: order, UserOrders: user }
serve((operationName, id) => answer(attempts[operationName] as Attempt, id))
