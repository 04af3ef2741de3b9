import { fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { deferred } from '../../../../test/helpers/deferred.js'
import { noRedis, redisOptions, startRedis, type TestRedis } from '../../../../test/helpers/redis.js'
import { until } from '../../../../test/helpers/until.js'
import { Cache } from '../../src/cache/cache.js'
import type { Namespace } from '../../src/cache/namespace.js'
import { createTokenSource } from '../../src/cache/token.js'
import { RedisStore } from '../../src/redis/redis-store.js'

const things: Namespace<string> = { name: 'things', version: 1, softTtlMs: 60_000, graceMs: 60_000, negativeTtlMs: 10_000 }
const key = 'leases:v1:things:cold'

describe.skipIf(noRedis)('a lease', () => {
  let redis: TestRedis
  let cache: Cache
  beforeEach(async () => {
    redis = await startRedis()
    cache = new Cache({
      store: new RedisStore(redisOptions(redis.url)),
      ...{ prefix: 'leases', version: 'v1', namespaces: [things], near: null, leaseMs: 400, leaseWaitMs: 60_000 },
      fetchLimits: { maxRunning: 100, maxRunMs: 60_000, maxWaiting: 0, maxWaitMs: 0 },
      ...{ createToken: createTokenSource(), now: Date.now, sleep, random: () => 0.5 },
    })
    await cache.connect()
  })
  afterEach(async () => {
    await cache.close()
    await redis.stop()
  })

  test('is renewed while its fetch runs, and the fill lands', async () => {
    const row = deferred<Map<string, string>>()
    const value = cache.getOrFetch(things, 'cold', () => row.promise)
    for (let renewals = 0, last = 0; renewals < 5; ) {
      const left = await redis.client.pttl(key)
      if (left > last) renewals += 1
      last = left
    }
    row.resolve(new Map([['cold', 'value']]))
    expect(await value).toBe('value')
    await until(async () => (await cache.read(things, 'cold')).state === 'hit')
  })

  test('that was invalidated is not restored by a renewal', async () => {
    const row = deferred<Map<string, string>>()
    const value = cache.getOrFetch(things, 'cold', () => row.promise)
    await until(async () => (await redis.client.pttl(key)) > 0)
    await cache.invalidate(things, { ids: ['cold'] })
    const { calls } = await renewals(redis)
    await until(async () => (await renewals(redis)).calls > calls)
    expect(await redis.client.exists(key)).toBe(0)
    row.resolve(new Map([['cold', 'old']]))
    await value
  })

  test('of a killed process expires soon: the next reader fetches, and its fill lands', async () => {
    const hanging = fork('packages/cached-resolvers/test/processes/hanging-fetch.ts', [redis.url], {
      execArgv: ['--import', 'tsx'],
    })
    await once(hanging, 'message')
    const value = cache.getOrFetch(things, 'cold', async () => new Map([['cold', 'value']]))
    await until(async () => (await cache.counts(['things'])).get('things')?.leaseWaits === 1)
    hanging.kill('SIGKILL')
    expect(await value).toBe('value')
    await until(async () => (await cache.read(things, 'cold')).state === 'hit')
  })
})

/** How often the Lua script of leases, renewals and fills has run */
async function renewals({ client }: TestRedis): Promise<{ calls: number }> {
  const stats = (await client.info('commandstats')) as string
  return { calls: Number(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1] ?? 0) }
}
