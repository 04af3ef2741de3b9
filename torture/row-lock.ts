import { setTimeout as sleep } from 'node:timers/promises'
import type { Random } from './random.js'
import { request } from './requests.js'
import { buyers, productCell } from './shop.js'
import type { World } from './world.js'

/** Of each process: more than its pool has connections */
const ordersPerProcess = 12
const lockableProducts = [21, 22, 23, 24, 25, 26, 27, 28, 29, 30]

/**
 * As somebody in psql who has changed a product and not committed yet: all orders of it wait, with a connection each. One at a time: behind
 * two, a statement would wait for longer than it may take, and be right to fail.
 */
export async function holdProduct(world: World, random: Random): Promise<void> {
  if (world.productIsHeld) return
  world.productIsHeld = true
  await holdOne(world, random).finally(() => {
    world.productIsHeld = false
  })
}

async function holdOne(world: World, random: Random): Promise<void> {
  const [id, heldMs] = [random.pick(lockableProducts), random.between(500, 2_500)]
  const waiting: Promise<unknown>[] = []
  await world.database.begin(async (sql) => {
    await sql`update products set stock = stock where id = ${id}`
    for (const api of world.apis.filter(({ isUp, isSuspended }) => isUp && !isSuspended)) {
      for (let orders = 0; orders < ordersPerProcess; orders += 1) {
        const input = `{ userId: "user_${random.pick(buyers)}", productIds: ["${productCell(id)}"] }`
        waiting.push(request(world, api, `mutation { createOrder(input: ${input}) { order { id } } }`))
      }
    }
    await sleep(heldMs)
  })
  await Promise.all(waiting)
}
