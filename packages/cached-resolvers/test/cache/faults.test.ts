import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { noRedis, redisOptions, startRedis, type TestRedis } from '../../../../test/helpers/redis.js'
import { until } from '../../../../test/helpers/until.js'
import { Cache } from '../../src/cache/cache.js'
import type { CounterName } from '../../src/cache/counters.js'
import type { Namespace } from '../../src/cache/namespace.js'
import { createTokenSource } from '../../src/cache/token.js'
import { RedisStore } from '../../src/redis/redis-store.js'

const things: Namespace<{ name: string }> = {
  name: 'things',
  version: 1,
  softTtlMs: 60_000,
  graceMs: 60_000,
  negativeTtlMs: 10_000,
}
const key = 'faults:v1:things:a'

describe.skipIf(noRedis)('a Redis that breaks', () => {
  let redis: TestRedis
  let cache: Cache
  let fetches: number
  let catchUps: number
  let deliverPending: () => Promise<void>

  beforeEach(async () => {
    redis = await startRedis()
    fetches = 0
    catchUps = 0
    deliverPending = async () => {}
    await openCache()
  })
  afterEach(async () => {
    await cache.close()
    await redis.stop()
  })

  async function openCache({ commandTimeoutMs = 60_000 } = {}): Promise<void> {
    cache = new Cache({
      store: new RedisStore({ ...redisOptions(redis.url), commandTimeoutMs, healthIntervalMs: 50 }),
      prefix: 'faults',
      version: 'v1',
      namespaces: [things],
      near: null,
      fetchLimits: { maxRunning: 100, maxRunMs: 60_000, maxWaiting: 0, maxWaitMs: 0 },
      leaseMs: 10_000,
      leaseWaitMs: 200,
      createToken: createTokenSource(),
      now: Date.now,
      sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
      random: () => 0.5,
    })
    const catchUp = async () => {
      catchUps += 1
      await deliverPending()
    }
    await cache.connect({ catchUp })
  }
  /** For tests of timeouts */
  async function shortenTimeout(): Promise<void> {
    await cache.close()
    await openCache({ commandTimeoutMs: 150 })
  }

  const get = (name = 'A') =>
    cache.getOrFetch(things, 'a', async (ids) => {
      fetches += 1
      return new Map(ids.map((id) => [id, { name }]))
    })
  const count = async (name: CounterName) => (await cache.counts(['things'])).get('things')?.[name]
  /** Reads twice: the second read shows whether the first one filled the cache. */
  async function isCached(): Promise<boolean> {
    await get()
    const before = fetches
    await get()
    return fetches === before
  }

  test('FLUSHALL costs a fetch and nothing else', async () => {
    expect(await isCached()).toBe(true)
    await redis.client.flushall()
    expect(await get()).toEqual({ name: 'A' })
    expect(await isCached()).toBe(true)
  })

  test('an evicted generation makes its entries misses, and they are filled again', async () => {
    expect(await isCached()).toBe(true)
    await redis.client.del('faults:v1:things')
    expect((await cache.read(things, 'a')).state).toBe('miss')
    expect(await isCached()).toBe(true)
  })

  test.each([
    ['a list', (at: string) => redis.client.rpush(at, 'x')],
    ['a hash', (at: string) => redis.client.hset(at, 'x', 'y')],
    ['bytes that are not text', (at: string) => redis.client.set(at, Buffer.from([0xff, 0xfe, 0x00, 0x31]))],
  ])('%s under the key of an entry, or of a generation, heals', async (_, put) => {
    for (const at of [key, 'faults:v1:things']) {
      await redis.client.del(at)
      await put(at)
      expect(await get()).toEqual({ name: 'A' })
      expect(await isCached()).toBe(true)
    }
  })

  test('a full server: reads go on, fills are dropped, invalidations still work', async () => {
    await get('old')
    expect(await isCached()).toBe(true)
    await redis.client.config('SET', 'maxmemory', '1')
    expect((await cache.read(things, 'a')).state).toBe('hit')
    expect(await cache.invalidate(things, { ids: ['a'] })).toBe(true)
    expect(await get('new')).toEqual({ name: 'new' })
    expect(await isCached()).toBe(false)
    expect(await count('refused')).toBeGreaterThan(0)
    await redis.client.config('SET', 'maxmemory', '0')
    expect(await isCached()).toBe(true)
  })

  test('a master that became a replica: an invalidation is not confirmed, and no entry is served before it is', async () => {
    await get('old')
    await redis.client.call('REPLICAOF', '127.0.0.1', '1')
    expect(await cache.invalidate(things, { ids: ['a'] })).toBe(false)
    expect(await get('new')).toEqual({ name: 'new' })
    deliverPending = async () => {
      if (!(await cache.invalidate(things, { ids: ['a'] }))) throw new Error('not confirmed')
    }
    await redis.client.call('REPLICAOF', 'NO', 'ONE')
    await until(() => cache.trusted)
    expect(await get('new')).toEqual({ name: 'new' })
    expect(await isCached()).toBe(true)
  })

  test('a master that became a replica: of many commands that it refuses at once, only one closes the connection', async () => {
    const warnings: Error[] = []
    const onWarning = (warning: Error) => warnings.push(warning)
    process.on('warning', onWarning)
    onTestFinished(() => void process.off('warning', onWarning))
    await redis.client.call('REPLICAOF', '127.0.0.1', '1')
    const ids = Array.from({ length: 20 }, (_, index) => `thing ${index}`)
    const confirmed = await Promise.all(ids.map((id) => cache.invalidate(things, { ids: [id] })))
    expect(confirmed).toEqual(ids.map(() => false))
    await redis.client.call('REPLICAOF', 'NO', 'ONE')
    await until(() => cache.trusted)
    expect(warnings).toEqual([])
  })

  test('a connection that broke for a moment: no entry is served before the pending invalidations are delivered', async () => {
    await get('old')
    let deliver = () => {}
    deliverPending = () => new Promise((resolve) => {
      deliver = () => void cache.invalidate(things, { ids: ['a'] }).then(() => resolve())
    }) // biome-ignore format: short
    const before = catchUps
    await redis.client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
    await until(() => catchUps > before)
    expect(cache.trusted).toBe(false)
    expect(await get('new')).toEqual({ name: 'new' })
    deliver()
    await until(() => cache.trusted)
    expect(await get('new')).toEqual({ name: 'new' })
  })

  test('a server that restarts with its old data: all of it is invalidated', async () => {
    await get('old')
    await until(async () => (await redis.client.get(key))?.includes('"old"') === true)
    await redis.client.save()
    await cache.invalidate(things, { ids: ['a'] })
    await redis.kill()
    await until(() => !cache.trusted)
    await redis.start()
    expect(await redis.client.get(key)).toContain('"old"')
    await until(() => cache.trusted)
    expect((await cache.read(things, 'a')).state).toBe('miss')
  })

  test('a server that hangs: callers wait for the deadline a few times, then not at all', async () => {
    await shortenTimeout()
    await get()
    redis.freeze()
    for (let time = 0; time < 10; time += 1) expect(await get()).toEqual({ name: 'A' })
    expect(await count('unavailable')).toBeGreaterThan(0)
    redis.thaw()
    await until(() => cache.trusted)
    expect(await isCached()).toBe(true)
  })

  test('a lease granted after the deadline, which no process fills, is released when the server answers again', async () => {
    await shortenTimeout()
    await redis.client.call('CLIENT', 'PAUSE', '400', 'WRITE')
    expect(await get()).toEqual({ name: 'A' })
    await until(() => cache.trusted)
    await until(async () => {
      await cache.read(things, 'other')
      await cache.leaseMany(things, ['another'])
      return isCached()
    })
  })

  test('a value that cannot be serialized does not prevent the other fills of its batch', async () => {
    const values = new Map<string, unknown>([['a', { name: 'A' }], ['b', 1n]]) // biome-ignore format: a table
    await Promise.all(await cache.getOrFetchMany(things as Namespace<unknown>, ['a', 'b'], async () => values))
    expect((await cache.readMany(things, ['a', 'b'])).map(({ state }) => state)).toEqual(['hit', 'miss'])
    // Its lease was released.
    await until(async () => (await cache.leaseMany(things, ['b'])).length === 1)
  })

  test('damaged entries do not open the breaker', async () => {
    await get()
    for (let time = 0; time < 10; time += 1) {
      await redis.client.set(key, 'garbage')
      expect(await get()).toEqual({ name: 'A' })
    }
    expect(await count('corrupt')).toBe(10)
    expect(await count('unavailable')).toBe(0)
    expect(await isCached()).toBe(true)
  })
})
