import type { Redis } from 'ioredis'
import { encodeEntry } from '../../packages/cached-resolvers/src/cache/entry.js'
import { Keys } from '../../packages/cached-resolvers/src/cache/key.js'
import type { Namespace } from '../../packages/cached-resolvers/src/cache/namespace.js'
import { createTokenSource } from '../../packages/cached-resolvers/src/cache/token.js'

/** The defaults of `src/app.ts` */
export const cacheNames = { prefix: 'ecommerce', version: 'v1' }
export const keys = new Keys(cacheNames.prefix, cacheNames.version)

const createToken = createTokenSource()
/** The generation of all entries created here */
export const generation = createToken()
const ttlMs = 3_600_000
const batch = 1_000

export function entryKey(namespace: Namespace<unknown>, id: string): string {
  return keys.entry(namespace, id)
}

/** The entry that the cache would write for this value */
export function entryText(value: unknown): string {
  return encodeEntry(createToken(), { generation, softUntilMs: Date.now() + ttlMs, fetchMs: 3, version: 1 }, value)
}

/** Sets `count` keys with a TTL. */
export async function fillRedis(
  client: Redis,
  count: number,
  entryOf: (number: number) => { key: string; text: string },
): Promise<void> {
  for (let start = 1; start <= count; start += batch) {
    const pipeline = client.pipeline()
    for (let number = start; number < Math.min(start + batch, count + 1); number += 1) {
      const { key, text } = entryOf(number)
      pipeline.set(key, text, 'PX', ttlMs)
    }
    await pipeline.exec()
  }
}
