import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Redis } from 'ioredis'
import { Cache } from '../../packages/cached-resolvers/src/cache/cache.js'
import { createTokenSource } from '../../packages/cached-resolvers/src/cache/token.js'
import { RedisStore } from '../../packages/cached-resolvers/src/redis/redis-store.js'
import { products } from '../../src/shop/products/product.js'
import { users } from '../../src/shop/users/user.js'
import type { BenchContext } from '../harness/context.js'
import { cacheNames, entryKey, entryText, fillRedis, generation, keys } from '../harness/entries.js'
import { Reader } from '../harness/reader.js'
import { scratchFolder, startRedis } from '../harness/shop.js'
import type { Options } from '../options.js'
import type { InvalidationRow } from '../report/results.js'
import { quantile } from '../report/statistics.js'
import { writeSection } from '../report/write.js'

const { namespace: PRODUCTS } = products
const { namespace: USERS } = users

const readerFile = fileURLToPath(new URL('../harness/reader-process.ts', import.meta.url))
const sizes = [1_000, 10_000, 100_000, 1_000_000]
/** Number of entries of another namespace, for the reader */
const otherKeys = 1_000
/** Minimum duration of a measurement of the reader */
const minWindowMs = 20
const scanCount = 1_000

interface Target {
  cache: Cache
  client: Redis
  reader: Reader
}

/**
 * Measures how long the invalidation of a whole namespace takes and how it slows down a reader: ours, compared with SCAN MATCH
 * and DEL.
 */
export async function invalidation({ quick }: Options, context: BenchContext): Promise<string> {
  const redis = await startRedis(context, await scratchFolder(context))
  const { client } = redis
  const cache = await openCache(context, redis.url)
  await fillRedis(client, otherKeys, (number) => ({ key: entryKey(USERS, `user_${number}`), text: entryText({ id: number }) }))
  const reader = new Reader(
    readerFile,
    redis.url,
    Array.from({ length: otherKeys }, (_, index) => entryKey(USERS, `user_${index + 1}`)),
  )
  context.cleanups.push(() => reader.stop())
  const target = { cache, client, reader }
  await sleep(1_000)

  const rows: InvalidationRow[] = []
  for (const size of quick ? sizes.slice(0, 2) : sizes) {
    for (const way of ['generation', 'scan'] as const) {
      const row = await measure(target, size, way)
      rows.push(row)
      context.print(
        `${size} keys, ${way}: ${row.tookMs.toFixed(2)} ms, a reader's p99 ${row.calm.p99Us} -> ${row.meanwhile.p99Us} µs`,
      )
    }
  }
  return writeSection('invalidation', rows, { quick })
}

async function measure(target: Target, size: number, way: InvalidationRow['way']): Promise<InvalidationRow> {
  const tookMs: number[] = []
  const [calm, meanwhile]: [number[], number[]] = [[], []]
  const repeats = size >= 1_000_000 ? 1 : size >= 100_000 ? 3 : 5
  for (let repeat = 0; repeat < repeats; repeat += 1) {
    await fillNamespace(target, size)
    calm.push(...(await watchReader(target, () => sleep(300))))
    const during = await watchReader(target, async () => {
      const startedAt = performance.now()
      if (way === 'generation') await target.cache.invalidate(PRODUCTS, 'all')
      else await scanAndDelete(target.client, `${keys.namespaceGeneration(PRODUCTS)}:*`)
      tookMs.push(performance.now() - startedAt)
    })
    meanwhile.push(...during)
    await expectGone(target, size, way)
    await emptyNamespace(target, size)
  }
  return {
    ...{ keys: size, way, repeats, tookMs: quantile(sorted(tookMs), 0.5) },
    calm: percentiles(calm),
    meanwhile: { ...percentiles(meanwhile), worstUs: Math.round(Math.max(...sorted(meanwhile).slice(-1)) * 1_000) },
  }
}

/** Runs `work` and returns the latencies of the reader meanwhile, in milliseconds. */
async function watchReader({ reader }: Target, work: () => Promise<unknown>): Promise<number[]> {
  const from = Date.now()
  await work()
  const restMs = from + minWindowMs - Date.now()
  if (restMs > 0) await sleep(restMs)
  return reader.latenciesMs(from, Date.now())
}

async function fillNamespace({ client, cache }: Target, size: number): Promise<void> {
  await client.set(keys.namespaceGeneration(PRODUCTS), generation)
  await fillRedis(client, size, (number) => {
    const id = `product_${number}`
    return {
      key: entryKey(PRODUCTS, id),
      text: entryText({ id, name: 'Lavender Candle', price: 73.9, stock: 12, category: 'Home' }),
    }
  })
  const [lookup] = await cache.peekMany(PRODUCTS, ['product_1'])
  if (lookup?.state !== 'hit') throw new Error('The cache cannot read the entries that the benchmark has written')
}

async function expectGone({ cache, client }: Target, size: number, way: InvalidationRow['way']): Promise<void> {
  const lookups = await cache.peekMany(PRODUCTS, ['product_1', `product_${size}`])
  const left = way === 'scan' ? (await client.dbsize()) - otherKeys : 0
  if (lookups.some(({ state }) => state !== 'miss') || left > 20) throw new Error(`Not everything was invalidated by ${way}`)
}

/** After the measurement: removes the entries that our invalidation leaves to their TTL. */
async function emptyNamespace({ client }: Target, size: number): Promise<void> {
  for (let start = 1; start <= size; start += scanCount) {
    const numbers = Array.from({ length: Math.min(scanCount, size - start + 1) }, (_, index) => start + index)
    await client.unlink(numbers.map((number) => entryKey(PRODUCTS, `product_${number}`)))
  }
}

async function scanAndDelete(client: Redis, pattern: string): Promise<void> {
  let cursor = '0'
  do {
    const [next, found] = await client.scan(cursor, 'MATCH', pattern, 'COUNT', scanCount)
    if (found.length > 0) await client.del(found)
    cursor = next
  } while (cursor !== '0')
}

async function openCache({ cleanups }: BenchContext, url: string): Promise<Cache> {
  const store = new RedisStore({
    ...{ target: { kind: 'server', url }, connections: 1, prefix: 'bench' },
    ...{ commandTimeoutMs: 5_000, healthIntervalMs: 1_000, log: () => {} },
  })
  const cache = new Cache({
    ...{ store, namespaces: [PRODUCTS, USERS], near: null, leaseMs: 10_000, leaseWaitMs: 1_000 },
    ...cacheNames,
    fetchLimits: { maxRunning: 20, maxRunMs: 60_000, maxWaiting: 500, maxWaitMs: 1_000 },
    ...{ createToken: createTokenSource(), now: Date.now, sleep, random: Math.random },
  })
  await cache.connect()
  cleanups.push(() => cache.close())
  return cache
}

function percentiles(latenciesMs: readonly number[]): { p50Us: number; p99Us: number } {
  const ascending = sorted(latenciesMs)
  return { p50Us: Math.round(quantile(ascending, 0.5) * 1_000), p99Us: Math.round(quantile(ascending, 0.99) * 1_000) }
}

function sorted(values: readonly number[]): number[] {
  return [...values].sort((a, b) => a - b)
}
