import { readFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { noRedis, redisOptions, startRedis, type TestRedis } from '../../../../test/helpers/redis.js'
import { until } from '../../../../test/helpers/until.js'
import { Cache } from '../../src/cache/cache.js'
import { CountedEntries } from '../../src/cache/counted-entries.js'
import type { Namespace } from '../../src/cache/namespace.js'
import { createTokenSource } from '../../src/cache/token.js'
import { RedisStore } from '../../src/redis/redis-store.js'

const things: Namespace<string> = { name: 'things', version: 1, softTtlMs: 60_000, graceMs: 60_000, negativeTtlMs: 10_000 }
const [, documented = ''] = /^ACL SETUSER shop (.*)$/m.exec(readFileSync('docs/operations.md', 'utf8')) ?? []

describe.skipIf(noRedis)('a Redis user with limited permissions', () => {
  let redis: TestRedis
  let cache: Cache
  let logged: string[]
  beforeEach(async () => {
    redis = await startRedis()
    logged = []
  })
  afterEach(async () => {
    await cache.close()
    await redis.stop()
  })

  async function connectWith(permissions: string): Promise<void> {
    await redis.client.acl('SETUSER', 'shop', ...permissions.split(' '))
    const url = new URL(redis.url)
    Object.assign(url, { username: 'shop', password: 'secret' })
    const log = (message: string) => logged.push(message)
    cache = new Cache({
      store: new RedisStore({ ...redisOptions(url.href), prefix: 'ecommerce', log }),
      ...{ prefix: 'ecommerce', version: 'v1', namespaces: [things], near: { maxBytes: 1e6, maxStalenessMs: 60_000 } },
      ...{ leaseMs: 10_000, leaseWaitMs: 1_000, fetchLimits: { maxRunning: 10, maxRunMs: 60_000, maxWaiting: 0, maxWaitMs: 0 } },
      ...{ createToken: createTokenSource(), now: Date.now, random: () => 0.5, log },
      sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    })
    await cache.connect()
  }
  const get = () => cache.getOrFetch(things, 'a', async (ids) => new Map(ids.map((id) => [id, 'A'])))

  test('needs only the documented permissions', async () => {
    expect(documented).toContain('-@dangerous')
    await connectWith(documented)
    await until(() => cache.trusted)
    await get()
    await until(async () => {
      await get()
      return cache.readNear(things, 'a', new CountedEntries()) === 'A'
    })
    expect(await cache.invalidate(things, { ids: ['a'] })).toBe(true)
    expect((await cache.info()).keys).toBeGreaterThan(0)
    await cache.sample(1)
    await cache.flushCounts()
    expect(logged.filter((line) => !line.startsWith('Connected to the cache server'))).toEqual([])
  })

  test.each([
    ['the channels', documented.replace(/&\S+ ?/g, ''), /refuses: .*channel/i],
    ['INFO', documented.replace('+info', ''), /is not used: .*info/i],
    ['the keys', documented.replace('~ecommerce:*', '~other:*'), /is not used: .*key/i],
  ])('without %s the log names what is missing', async (_, permissions, reason) => {
    await connectWith(permissions)
    await cache.invalidate(things, { ids: ['a'] })
    await until(() => logged.some((line) => reason.test(line)))
    expect(await get()).toBe('A')
  })

  test('without RESP3 the near store is not used, a message is logged, and everything else works', async () => {
    await redis.stop()
    redis = await startRedis('--rename-command', 'HELLO', '')
    await connectWith(documented)
    await until(() => logged.some((line) => line.startsWith('the near store is not used:')))
    await until(() => cache.trusted)
    await get()
    expect(await cache.read(things, 'a')).toMatchObject({ state: 'hit', value: 'A' })
    expect(cache.readNear(things, 'a', new CountedEntries())).toBeUndefined()
    expect(await cache.invalidate(things, { ids: ['a'] })).toBe(true)
    expect(await cache.read(things, 'a')).toEqual({ state: 'miss' })
  })
})
