import type { Redis } from 'ioredis'
import { invalidatesAfterWrite } from './environment.js'
import { PRODUCT } from './kinds.js'
import * as rows from './rows.js'

/** Updates the row, and then deletes its entry if the server is started so: the usual way to write with cache-aside. */
export async function updateStock(redis: Redis, id: string, stock: number): Promise<rows.Product | null> {
  const product = await rows.updateStock(id, stock)
  if (invalidatesAfterWrite) await redis.del(`${PRODUCT.name}:${id}`)
  return product
}
