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
  let owed: () => Promise<void>

  beforeEach(async () => {
    redis = await startRedis()
    fetches = 0
    catchUps = 0
    owed = async () => {}
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
      fetches: { maxRunning: 100, maxRunMs: 60_000, maxWaiting: 0, maxWaitMs: 0 },
      leaseMs: 10_000,
      leaseWaitMs: 200,
      createToken: createTokenSource(),
      now: Date.now,
      sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
      random: () => 0.5,
    })
    const catchUp = async () => {
      catchUps += 1
      await owed()
    }
    await cache.connect({ catchUp })
  }
  /** For tests of what takes too long */
  async function becomeImpatient(): Promise<void> {
    await cache.close()
    await openCache({ commandTimeoutMs: 150 })
  }

  const get = (name = 'A') =>
    cache.getOrFetch(things, 'a', async (ids) => {
      fetches += 1
      return new Map(ids.map((id) => [id, { name }]))
    })
  const count = async (name: CounterName) => (await cache.counts(['things'])).get('things')?.[name]
  /** Reads twice, so that the second shows whether the first could be kept. */
  async function isKept(): Promise<boolean> {
    await get()
    const before = fetches
    await get()
    return fetches === before
  }

  test('FLUSHALL costs a fetch and nothing else', async () => {
    expect(await isKept()).toBe(true)
    await redis.client.flushall()
    expect(await get()).toEqual({ name: 'A' })
    expect(await isKept()).toBe(true)
  })

  test('an evicted generation makes its entries misses, and they are filled anew', async () => {
    expect(await isKept()).toBe(true)
    await redis.client.del('faults:v1:things')
    expect((await cache.read(things, 'a')).state).toBe('miss')
    expect(await isKept()).toBe(true)
  })

  test.each([
    ['a list', (at: string) => redis.client.rpush(at, 'x')],
    ['a hash', (at: string) => redis.client.hset(at, 'x', 'y')],
    ['bytes that are no text', (at: string) => redis.client.set(at, Buffer.from([0xff, 0xfe, 0x00, 0x31]))],
  ])('%s under the key of an entry, or of a generation, heals', async (_, put) => {
    for (const at of [key, 'faults:v1:things']) {
      await redis.client.del(at)
      await put(at)
      expect(await get()).toEqual({ name: 'A' })
      expect(await isKept()).toBe(true)
    }
  })

  test('a full server: reads go on, fills are dropped, invalidations still work', async () => {
    await get('old')
    await redis.client.config('SET', 'maxmemory', '1')
    expect((await cache.read(things, 'a')).state).toBe('hit')
    expect(await cache.invalidate(things, { ids: ['a'] })).toBe(true)
    expect(await get('new')).toEqual({ name: 'new' })
    expect(await isKept()).toBe(false)
    expect(await count('refused')).toBeGreaterThan(0)
    await redis.client.config('SET', 'maxmemory', '0')
    expect(await isKept()).toBe(true)
  })

  test('a master that became a replica: an invalidation is not confirmed, and nothing is believed before it is', async () => {
    await get('old')
    await redis.client.call('REPLICAOF', '127.0.0.1', '1')
    expect(await cache.invalidate(things, { ids: ['a'] })).toBe(false)
    expect(await get('new')).toEqual({ name: 'new' })
    owed = async () => {
      if (!(await cache.invalidate(things, { ids: ['a'] }))) throw new Error('not confirmed')
    }
    await redis.client.call('REPLICAOF', 'NO', 'ONE')
    await until(() => cache.trusted)
    expect(await get('new')).toEqual({ name: 'new' })
    expect(await isKept()).toBe(true)
  })

  test('a master that became a replica: of many commands that it refuses at once, one ends the connection', async () => {
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

  test('a connection that broke for a moment: nothing is believed before what is owed was delivered', async () => {
    await get('old')
    let deliver = () => {}
    owed = () => new Promise((resolve) => {
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

  test('a server that comes back with what it held before: all of that is given up', async () => {
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
    await becomeImpatient()
    await get()
    redis.freeze()
    for (let time = 0; time < 10; time += 1) expect(await get()).toEqual({ name: 'A' })
    expect(await count('unavailable')).toBeGreaterThan(0)
    redis.thaw()
    await until(() => cache.trusted)
    expect(await isKept()).toBe(true)
  })

  test('a lease that was given after the deadline, with nobody there to fill it, is ended when the server answers again', async () => {
    await becomeImpatient()
    await redis.client.call('CLIENT', 'PAUSE', '400', 'WRITE')
    expect(await get()).toEqual({ name: 'A' })
    await until(() => cache.trusted)
    await until(async () => {
      await cache.read(things, 'other')
      await cache.leaseMany(things, ['another'])
      return isKept()
    })
  })

  test('a value that is no JSON does not keep the others of its batch from being kept', async () => {
    const values = new Map<string, unknown>([['a', { name: 'A' }], ['b', 1n]]) // biome-ignore format: a table
    await Promise.all(await cache.getOrFetchMany(things as Namespace<unknown>, ['a', 'b'], async () => values))
    expect((await cache.readMany(things, ['a', 'b'])).map(({ state }) => state)).toEqual(['hit', 'miss'])
    // Its lease has ended.
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
    expect(await isKept()).toBe(true)
  })
})
