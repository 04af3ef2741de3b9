import { setTimeout as sleep } from 'node:timers/promises'
import type { Random } from './random.js'
import { request } from './requests.js'
import { buyers, productCell } from './shop.js'
import type { World } from './world.js'

/** More than the connection pool of a process has connections */
const ordersPerProcess = 12
const lockableProducts = [21, 22, 23, 24, 25, 26, 27, 28, 29, 30]

/**
 * Locks a product like an open transaction in psql: all orders of it wait and occupy a connection each. Only one lock at a time:
 * behind two, a statement would exceed its timeout and rightly fail.
 */
export async function lockProduct(world: World, random: Random): Promise<void> {
  if (world.productIsLocked) return
  world.productIsLocked = true
  await lockOne(world, random).finally(() => {
    world.productIsLocked = false
  })
}

async function lockOne(world: World, random: Random): Promise<void> {
  const [id, lockedMs] = [random.pick(lockableProducts), random.between(500, 2_500)]
  const waiting: Promise<unknown>[] = []
  await world.database.begin(async (sql) => {
    await sql`update products set stock = stock where id = ${id}`
    for (const api of world.apis.filter(({ isUp, isSuspended }) => isUp && !isSuspended)) {
      for (let orders = 0; orders < ordersPerProcess; orders += 1) {
        const input = `{ userId: "user_${random.pick(buyers)}", productIds: ["${productCell(id)}"] }`
        waiting.push(request(world, api, `mutation { createOrder(input: ${input}) { order { id } } }`))
      }
    }
    await sleep(lockedMs)
  })
  await Promise.all(waiting)
}
