import { ttlSeconds } from '../shared/environment.js'
import { createRedis } from '../shared/redis.js'
import * as rows from '../shared/rows.js'
import { BatchReader } from './batch-reader.js'
import { orderPiece, productPiece, userOrdersKey, userOrdersPiece, userPiece } from './pieces.js'

type Pieces = (string | null)[]

const redis = createRedis()
const batchReader = new BatchReader(redis)
const firstOrders = rows.userOrderIds(20)

/** Reads with one MGET. Fetches missing fragments from Postgres and writes them to Redis. null: does not exist */
export async function readPieces(keys: string[]): Promise<Pieces> {
  return fillGaps(keys, await redis.mget(keys))
}

/** The same with one MGET for all requests of an event loop turn: faster for few keys. */
export async function readPiecesBatched(keys: string[]): Promise<Pieces> {
  return fillGaps(keys, await batchReader.mget(keys))
}

function fillGaps(keys: string[], pieces: Pieces): Pieces | Promise<Pieces> {
  return pieces.includes(null) ? fetchAndFill(keys, pieces) : pieces
}

async function fetchAndFill(keys: string[], pieces: Pieces): Promise<Pieces> {
  const fetched = await fetchPieces(keys.filter((_, index) => pieces[index] === null))
  const pipeline = redis.pipeline()
  for (const [key, piece] of fetched) pipeline.set(key, piece, 'EX', ttlSeconds)
  await pipeline.exec()
  return pieces.map((piece, index) => piece ?? fetched.get(keys[index] as string) ?? null)
}

async function fetchPieces(keys: readonly string[]): Promise<Map<string, string>> {
  const idsOf = (kind: string) => keys.filter((key) => key.startsWith(kind))
  const listsOf = idsOf(userOrdersKey('')).map((key) => key.slice(userOrdersKey('').length))
  const [products, users, orders, lists] = await Promise.all([
    fetchSome(rows.products, idsOf('product_')),
    fetchSome(rows.users, idsOf('user_')),
    fetchSome(rows.orders, idsOf('order_')),
    fetchSome(firstOrders, listsOf),
  ])
  return new Map([
    ...[...products].map(([id, product]) => [id, productPiece(product)] as const),
    ...[...users].map(([id, user]) => [id, userPiece(user)] as const),
    ...[...orders].map(([id, order]) => [id, orderPiece(order)] as const),
    ...[...lists].map(([id, orderIds]) => [userOrdersKey(id), userOrdersPiece(orderIds)] as const),
  ])
}

async function fetchSome<V>(fetch: rows.FetchRows<V>, ids: string[]): Promise<ReadonlyMap<string, V>> {
  return ids.length > 0 ? fetch(ids) : new Map()
}
