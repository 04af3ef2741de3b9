import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { Cache } from '../../src/cache/cache.js'
import { createTokenSource } from '../../src/cache/token.js'
import { RedisStore } from '../../src/redis/redis-store.js'

/** A process with many readers of one cold key. It starts when it receives a message, and sends back the values they read. */
const [url = '', readers = '1'] = process.argv.slice(2)
const things = { name: 'things', version: 1, softTtlMs: 60_000, graceMs: 60_000, negativeTtlMs: 10_000 }
const cache = new Cache({
  store: new RedisStore({
    ...{ target: { kind: 'server', url }, connections: 1, prefix: 'test' },
    ...{ commandTimeoutMs: 60_000, healthIntervalMs: 1000, log: () => {} },
  }),
  ...{ prefix: 'stampede', version: 'v1', namespaces: [things], near: null },
  fetchLimits: { maxRunning: 10, maxRunMs: 60_000, maxWaiting: 10, maxWaitMs: 60_000 },
  ...{ leaseMs: 60_000, leaseWaitMs: 60_000, createToken: createTokenSource(), now: Date.now, random: Math.random },
  sleep,
})
const counter = new Redis(url)
await cache.connect()

process.once('message', async () => {
  const fetch = async (ids: readonly string[]) => {
    const fetches = await counter.incr('fetches')
    await sleep(200)
    return new Map(ids.map((id) => [id, fetches]))
  }
  const values = await Promise.all(Array.from({ length: Number(readers) }, () => cache.getOrFetch(things, 'cold', fetch)))
  process.send?.(values)
  await cache.close()
  counter.disconnect()
  process.disconnect()
})
process.send?.('ready')
