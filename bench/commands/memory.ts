import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Redis } from 'ioredis'
import { decodeStored, type StoredEntry } from '../../packages/cached-resolvers/src/cache/entry.js'
import { NearStore } from '../../packages/cached-resolvers/src/cache/near-store.js'
import { orders } from '../../src/shop/orders/order.js'
import { products } from '../../src/shop/products/product.js'
import { users } from '../../src/shop/users/user.js'
import type { BenchContext } from '../harness/context.js'
import { entryKey, entryText, fillRedis, generation, keys } from '../harness/entries.js'
import { scratchFolder, startRedis } from '../harness/shop.js'
import type { Options } from '../options.js'
import type { Memory } from '../report/results.js'
import { writeSection } from '../report/write.js'

const makers = [
  { namespace: products.namespace, make: product },
  { namespace: users.namespace, make: user },
  { namespace: orders.namespace, make: order },
] as const

/** Measures the memory of entries in Redis, compared with plain JSON under the same keys, and in the near store. */
export async function memory({ quick }: Options, context: BenchContext): Promise<string> {
  const entries = quick ? 20_000 : 1_000_000
  const redis = await startRedis(context, await scratchFolder(context))
  const rows: Memory['redis'] = []
  for (const { namespace, make } of makers) {
    const keyOf = (number: number) => entryKey(namespace, make(number).id)
    const measure = (textOf: (number: number) => string) => measureRedis(redis.client, entries, keyOf, textOf)
    const plainBytes = await measure((number) => JSON.stringify(make(number)))
    const oursBytes = await measure((number) => entryText(make(number)))
    rows.push({ what: namespace.name, plainBytes, oursBytes })
    context.print(
      `${namespace.name}: ${Math.round(plainBytes / entries)} bytes as plain JSON, ${Math.round(oursBytes / entries)} ours`,
    )
  }
  return writeSection('memory', { entries, redis: rows, near: measureNear(50_000) }, { quick })
}

async function measureRedis(
  client: Redis,
  entries: number,
  keyOf: (number: number) => string,
  textOf: (number: number) => string,
): Promise<number> {
  await client.flushall()
  const before = await usedMemory(client)
  await fillRedis(client, entries, (number) => ({ key: keyOf(number), text: textOf(number) }))
  const bytes = (await usedMemory(client)) - before
  await client.flushall()
  return bytes
}

async function usedMemory(client: Redis): Promise<number> {
  return Number(/^used_memory:(\d+)/m.exec(await client.info('memory'))?.[1])
}

/** Measures products in the state after they were read from Redis and parsed by a first reader. */
function measureNear(entries: number): Memory['near'] {
  const collect = exposedGc()
  const { namespace } = products
  const options = { maxBytes: 2 ** 31, maxStalenessMs: 60_000, now: () => performance.now(), random: Math.random }
  const near = new NearStore({ keys, ...options })
  near.confirm(performance.now())
  collect()
  const before = process.memoryUsage()
  for (let number = 1; number <= entries; number += 1) {
    // A copy, because a text from a socket shares no memory with other strings.
    const text = Buffer.from(entryText(product(number))).toString()
    const { id } = product(number)
    const key = keys.entry(namespace, id)
    near.putEntry(namespace.name, { id, key }, decodeStored(text, generation) as StoredEntry, near.removalCount(key))
  }
  collect()
  const after = process.memoryUsage()
  const heapBytes = after.heapUsed + after.external - before.heapUsed - before.external
  return { entries, heapBytes, estimatedBytes: near.bytes }
}

function exposedGc(): () => void {
  setFlagsFromString('--expose-gc')
  return runInNewContext('gc') as () => void
}

function product(number: number) {
  const name = `${['Wooden', 'Brass', 'Lavender', 'Linen'][number % 4]} ${['Vase', 'Candle', 'Letter Tray', 'Spinning Top'][(number >> 2) % 4]}`
  return { id: `product_${number}`, name, price: 42.79 + (number % 50), stock: number % 500, category: 'Home & Garden' }
}

function user(number: number) {
  return {
    id: `user_${number}`,
    email: `tara.kaya.${number}@example.com`,
    name: 'Tara Kaya',
    createdAt: '2025-01-01T12:34:56.789Z',
  }
}

function order(number: number) {
  const productIds = [1, 2, 3].map((position) => `product_${(number * position) % 5_000}`)
  return {
    id: `order_${number}`,
    userId: `user_${number % 10_000}`,
    productIds,
    total: 226.66,
    createdAt: '2025-01-01T12:34:56.789Z',
  }
}
