import { setTimeout as sleep } from 'node:timers/promises'
import { Cache } from '../../src/cache/cache.js'
import { createTokenSource } from '../../src/cache/token.js'
import { RedisStore } from '../../src/redis/redis-store.js'

/** A process whose fetch of a cold key never ends. It sends a message when the fetch has started. */
const [url = ''] = process.argv.slice(2)
const things = { name: 'things', version: 1, softTtlMs: 60_000, graceMs: 60_000, negativeTtlMs: 10_000 }
const cache = new Cache({
  store: new RedisStore({
    ...{ target: { kind: 'server', url }, connections: 1, prefix: 'test' },
    ...{ commandTimeoutMs: 60_000, healthIntervalMs: 1000, log: () => {} },
  }),
  ...{ prefix: 'leases', version: 'v1', namespaces: [things], near: null },
  fetchLimits: { maxRunning: 10, maxRunMs: 60_000, maxWaiting: 10, maxWaitMs: 60_000 },
  ...{ leaseMs: 400, leaseWaitMs: 60_000, createToken: createTokenSource(), now: Date.now, random: Math.random },
  sleep,
})
await cache.connect()
void cache.getOrFetch(things, 'cold', () => {
  process.send?.('fetching')
  return new Promise<Map<'cold', string>>(() => {})
})
