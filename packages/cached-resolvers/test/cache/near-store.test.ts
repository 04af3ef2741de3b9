import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createClock } from '../../../../test/helpers/clock.js'
import { deferred } from '../../../../test/helpers/deferred.js'
import { startProxy } from '../../../../test/helpers/proxy.js'
import { noRedis, redisOptions, startRedis, type TestRedis } from '../../../../test/helpers/redis.js'
import { recordRedis } from '../../../../test/helpers/redis-recording.js'
import { until } from '../../../../test/helpers/until.js'
import { Cache } from '../../src/cache/cache.js'
import { CountedEntries } from '../../src/cache/counted-entries.js'
import { decodeStored, encodeEntry, type StoredEntry } from '../../src/cache/entry.js'
import { Keys } from '../../src/cache/key.js'
import type { EntryId, ListEntryId, Namespace } from '../../src/cache/namespace.js'
import { NearStore } from '../../src/cache/near-store.js'
import { sharedValueMemo } from '../../src/cache/shared-value.js'
import type { Swap, SwapAnswer } from '../../src/cache/store.js'
import { createTokenSource } from '../../src/cache/token.js'
import { RedisStore } from '../../src/redis/redis-store.js'

const things: Namespace<{ name: string }> = {
  name: 'things',
  version: 1,
  softTtlMs: 60_000,
  graceMs: 60_000,
  negativeTtlMs: 10_000,
}
const pages: Namespace<{ name: string }> = { ...things, name: 'pages' }

/** Its answers to swaps are held back while `answered` is pending. */
class StoreWithLateAnswers extends RedisStore {
  answered: Promise<void> = Promise.resolve()

  override async swapMany(swaps: readonly Swap[]): Promise<SwapAnswer[]> {
    const answers = await super.swapMany(swaps)
    await this.answered
    return answers
  }
}

describe.skipIf(noRedis)('the near store in front of Redis', () => {
  let redis: TestRedis
  let caches: Cache[]
  beforeEach(async () => {
    redis = await startRedis()
    caches = []
  })
  afterEach(async () => {
    await Promise.all(caches.map((cache) => cache.close()))
    await redis.stop()
  })

  /** A cache as another process would have it */
  async function createCache({
    commandTimeoutMs = 60_000,
    maxStalenessMs = 60_000,
    url = redis.url,
    store = new RedisStore({ ...redisOptions(url), commandTimeoutMs }),
    now = Date.now,
  } = {}): Promise<Cache> {
    const cache = new Cache({
      store,
      prefix: 'near',
      version: 'v1',
      namespaces: [things, pages],
      near: { maxBytes: 1e6, maxStalenessMs },
      fetchLimits: { maxRunning: 100, maxRunMs: 60_000, maxWaiting: 0, maxWaitMs: 0 },
      leaseMs: 10_000,
      leaseWaitMs: 60_000,
      createToken: createTokenSource(),
      now,
      sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
      random: () => 0.5,
    })
    caches.push(cache)
    await cache.connect()
    return cache
  }

  const fetchOf = (name: string) => async (ids: readonly string[]) => new Map(ids.map((id) => [id, { name }]))
  const nearHits = async (cache: Cache) => (await cache.counts(['things'])).get('things')?.nearHits ?? 0

  /** Reads until an answer came from this process. Fetches the value where it is missing: after a stall of the machine, fills are dropped. */
  async function readUntilNear(cache: Cache, id: string, name = 'A'): Promise<void> {
    const before = await nearHits(cache)
    await until(async () => {
      await cache.getOrFetch(things, id, fetchOf(name))
      return (await nearHits(cache)) > before
    })
  }

  test('a value that was read is served again without a command to Redis', async () => {
    const cache = await createCache()
    await cache.getOrFetch(things, 'a', fetchOf('A'))
    await readUntilNear(cache, 'a')
    const recording = await recordRedis(redis)
    expect(await cache.read(things, 'a')).toMatchObject({ state: 'hit', value: { name: 'A' } })
    expect((await recording.take()).filter(([name]) => name === 'mget')).toEqual([])
    recording.stop()
  })

  test('a value that this process has filled is served without reading it from Redis', async () => {
    const cache = await createCache()
    await readUntilNear(cache, 'other')
    const recording = await recordRedis(redis)
    const { fills } = cache.ownCounts(things)
    await cache.getOrFetch(things, 'a', fetchOf('A'))
    await until(async () => cache.ownCounts(things).fills > fills)
    expect(await cache.read(things, 'a')).toMatchObject({ state: 'hit', value: { name: 'A' } })
    const reads = (await recording.take()).filter(([name, ...keys]) => name === 'mget' && keys.some((key) => key.endsWith(':a')))
    recording.stop()
    expect(reads).toHaveLength(1)
  })

  test('an entry that may be due for an early refresh is read from Redis, and refilled', async () => {
    let now = 0
    const cache = await createCache({ now: () => now })
    await readUntilNear(cache, 'other')
    const slowFetch = async (ids: readonly string[]) => {
      now += 1_000
      return new Map(ids.map((id) => [id, { name: `fetched at ${now}` }]))
    }
    await cache.getOrFetch(things, 'a', slowFetch)
    await until(() => cache.readNear(things, 'a', new CountedEntries()) !== undefined)
    // The soft TTL ends at 61,000 and the fetch took 1,000, so that a refresh may be due from 41,000 on.
    now = 40_999
    expect(cache.readNear(things, 'a', new CountedEntries())).toEqual({ name: 'fetched at 1000' })
    now = 41_000
    expect(cache.readNear(things, 'a', new CountedEntries())).toBeUndefined()
    // With the draw of 0.5, it is due from ln(2) times 1,000 before the end.
    now = 60_500
    expect(await cache.getOrFetch(things, 'a', slowFetch)).toEqual({ name: 'fetched at 1000' })
    await until(async () => (await redis.client.get('near:v1:things:a'))?.includes('fetched at 61500') ?? false)
  })

  test('a process acknowledges the removals of other processes, and not its own', async () => {
    const [cache, other] = [await createCache(), await createCache()]
    await readUntilNear(cache, 'a')
    await readUntilNear(other, 'a')
    const recording = await recordRedis(redis)
    await cache.invalidate(things, { ids: ['a'] })
    const acknowledgements = (await recording.take()).filter(([name]) => name === 'publish')
    recording.stop()
    expect(acknowledgements).toHaveLength(1)
  })

  test('a fill is not kept if its removal arrives before the answer to the fill', async () => {
    const store = new StoreWithLateAnswers({ ...redisOptions(redis.url), commandTimeoutMs: 60_000 })
    const [reader, writer] = [await createCache({ store }), await createCache()]
    await readUntilNear(reader, 'other')
    const answered = deferred<void>()
    await reader.getOrFetch(things, 'a' as string, async (ids) => {
      store.answered = answered.promise
      return fetchOf('old')(ids)
    })
    await until(async () => (await redis.client.get('near:v1:things:a'))?.includes('old') ?? false)
    // Resolves after the reader has acknowledged the removal.
    await writer.invalidate(things, { ids: ['a'] })
    const { fills } = reader.ownCounts(things)
    answered.resolve()
    await until(async () => reader.ownCounts(things).fills > fills)
    expect((await reader.read(things, 'a')).state).toBe('miss')
  })

  test('if the list of members was lost, a removal waits until no process may serve its near entries any more', async () => {
    const proxy = await startProxy(Number(new URL(redis.url).port))
    const reader = await createCache({ maxStalenessMs: 1_000, url: `redis://127.0.0.1:${proxy.port}` })
    const writer = await createCache({ maxStalenessMs: 1_000 })
    await reader.getOrFetch(things, 'a', fetchOf('A'))
    await readUntilNear(writer, 'a')
    await readUntilNear(reader, 'a')
    // The reader does not receive the removal.
    proxy.freeze()
    await redis.client.del('test:{removals}:members')
    await writer.invalidate(things, { ids: ['a'] })
    const near = reader.readNear(things, 'a', new CountedEntries())
    await proxy.stop()
    expect(near).toBeUndefined()
  })

  test.each(['a list', 'fields that are no leases'])(
    '%s under the key of the members, the registration or the last number heals',
    async (what) => {
      const cache = await createCache({ maxStalenessMs: 500 })
      await cache.getOrFetch(things, 'a', fetchOf('A'))
      await readUntilNear(cache, 'a')
      for (const key of [...(await redis.client.keys('*:registration:*')), 'test:{removals}:members', 'test:{removals}']) {
        await redis.client.del(key)
        if (what === 'a list') await redis.client.rpush(key, 'not', 'ours')
        else await redis.client.hset(key, 'not', 'ours')
        await until(async () => (await cache.invalidate(things, { ids: ['b'] })) && cache.trusted)
        await cache.getOrFetch(things, 'a', fetchOf('A'))
        await readUntilNear(cache, 'a')
      }
    },
  )

  test.each(['entry', 'namespace', 'list'])('an invalidation of the %s by another process is applied', async (what) => {
    const [reader, writer] = [await createCache(), await createCache()]
    const id: ListEntryId = { list: 'l', parameters: { page: 1 } }
    const fetch = async (ids: readonly ListEntryId[]) => new Map(ids.map((entryId) => [entryId, { name: 'old' }]))
    await reader.getOrFetch(pages, id, fetch)
    await reader.getOrFetch(things, 'a', fetchOf('old'))
    await readUntilNear(reader, 'a', 'old')
    await reader.read(pages, id)
    if (what === 'entry') await writer.invalidate(things, { ids: ['a'] })
    else if (what === 'namespace') await writer.invalidate(things, 'all')
    else await writer.invalidate(pages, { lists: ['l'] })
    await until(async () => (await (what === 'list' ? reader.read(pages, id) : reader.read(things, 'a'))).state === 'miss')
  })

  test('an invalidation by the same process is applied at once', async () => {
    const cache = await createCache()
    await cache.getOrFetch(things, 'a', fetchOf('old'))
    await readUntilNear(cache, 'a', 'old')
    await cache.invalidate(things, { ids: ['a'] })
    expect(await cache.getOrFetch(things, 'a', fetchOf('new'))).toEqual({ name: 'new' })
  })

  test('without messages from the server it serves entries no longer than maxStalenessMs, and again when messages arrive', async () => {
    const cache = await createCache({ commandTimeoutMs: 500, maxStalenessMs: 500 })
    await cache.getOrFetch(things, 'a', fetchOf('A'))
    await readUntilNear(cache, 'a')
    redis.freeze()
    await until(async () => (await cache.read(things, 'a')).state === 'miss')
    redis.thaw()
    await until(() => cache.trusted)
    await readUntilNear(cache, 'a')
  })

  test('an outage leaves no connections behind', async () => {
    const cache = await createCache()
    const clients = async () => ((await redis.client.client('LIST')) as string).trim().split('\n').length
    await until(async () => (await clients()) === 3)
    await redis.kill()
    // Long enough for many connection attempts
    await new Promise((resolve) => setTimeout(resolve, 1_500))
    await redis.start()
    await until(() => cache.trusted)
    await cache.getOrFetch(things, 'a', fetchOf('A'))
    await readUntilNear(cache, 'a')
    await until(async () => (await clients()) === 3)
  })

  test('is cleared when its channel breaks, and when a sequence number is missing', async () => {
    const cache = await createCache()
    await cache.getOrFetch(things, 'a', fetchOf('A'))
    for (const disrupt of [
      () => redis.client.call('CLIENT', 'KILL', 'TYPE', 'pubsub'),
      () => redis.client.publish('test:removals', '4711\nsomething'),
    ]) {
      await readUntilNear(cache, 'a')
      const recording = await recordRedis(redis)
      await disrupt()
      await until(async () => {
        await cache.read(things, 'a')
        return (await recording.take()).some(([name]) => name === 'mget')
      })
      recording.stop()
    }
  })
})

describe('the near store', () => {
  const keys = new Keys('near', 'v1')
  const header = { generation: 'g', softUntilMs: 1_000, fetchMs: 0, version: 1 }

  function createStore(random: () => number = () => 0) {
    const clock = createClock()
    const near = new NearStore({ keys, maxBytes: 10_000, maxStalenessMs: 500, now: clock.now, random })
    const keyOf = (id: EntryId) => keys.entry(things, id)
    /** Puts an entry of this id, as if it had been read when the removals of its key were `countBeforeRead`. */
    const put = (id: EntryId, value: unknown = 'x', countBeforeRead = near.removalCount(keyOf(id))) => {
      const stored = decodeStored(encodeEntry('token', header, value)) as StoredEntry
      near.putEntry('things', { id, key: keyOf(id) }, stored, countBeforeRead)
    }
    const putGeneration = () => {
      const key = keys.namespaceGeneration(things)
      near.putGeneration(key, 'g', near.removalCount(key), 'things')
    }
    near.confirm(clock.now())
    putGeneration()
    return { clock, near, put, putGeneration, keyOf }
  }

  test('does not keep a value that was removed while it was being read', () => {
    const { near, put, keyOf } = createStore()
    const countBeforeRead = near.removalCount(keyOf('a'))
    near.remove([keyOf('a')])
    put('a', 'x', countBeforeRead)
    expect(near.find('things', 'a')).toBeUndefined()
    put('a')
    expect(near.find('things', 'a')?.value).toBe('x')
  })

  test('does not keep a value if messages may have been missed while it was being read', () => {
    const { near, clock, put, putGeneration, keyOf } = createStore()
    const countBeforeRead = near.removalCount(keyOf('a'))
    near.clear()
    near.confirm(clock.now())
    putGeneration()
    put('a', 'x', countBeforeRead)
    expect(near.find('things', 'a')).toBeUndefined()
  })

  test.each(['plain', 'a b/ü:=%', 'x'.repeat(1_000), '=x', 'things'])(
    'keeps an entry with the id %j, and removes it by its key',
    (id) => {
      const { near, put, keyOf } = createStore()
      const before = near.bytes
      put(id)
      expect(near.find('things', id)?.value).toBe('x')
      near.remove([keyOf(id)])
      expect([near.find('things', id), near.bytes]).toEqual([undefined, before])
    },
  )

  test.each(['x'.repeat(1_025), '\ud800'])('does not keep an entry whose id does not follow from its key', (id) => {
    const { near, put } = createStore()
    put(id)
    expect(near.find('things', id)).toBeUndefined()
  })

  test('does not keep an entry of a namespace whose name does not follow from its key', () => {
    const { near } = createStore()
    const namespace = { ...things, name: 'app:things' }
    const key = keys.entry(namespace, 'things')
    const generationKey = keys.namespaceGeneration(namespace)
    near.putGeneration(generationKey, 'g', near.removalCount(generationKey), namespace.name)
    const stored = decodeStored(encodeEntry('token', header, 'x')) as StoredEntry
    near.putEntry(namespace.name, { id: 'things', key }, stored, near.removalCount(key))
    expect(near.find(namespace.name, 'things')).toBeUndefined()
  })

  test('does not keep an entry whose JSON is damaged', () => {
    const { near, keyOf } = createStore()
    const stored = decodeStored(`${encodeEntry('token', header, 'x')}"`) as StoredEntry
    near.putEntry('things', { id: 'a', key: keyOf('a') }, stored, near.removalCount(keyOf('a')))
    expect(near.find('things', 'a')).toBeUndefined()
  })

  test('marks the values that it keeps as shared', () => {
    const { near, put } = createStore()
    put('a', { name: 'A' })
    expect(sharedValueMemo.get(near.find('things', 'a')?.value as object)).toBeNull()
  })

  test('keeps an entry of a list, and removes it by its key', () => {
    const { near, put, keyOf } = createStore()
    const id: ListEntryId = { list: 'a', parameters: { page: 1 } }
    put('a')
    put(id, [1])
    near.remove([keyOf(id)])
    expect(near.findListEntry(keyOf(id))).toBeUndefined()
    put(id, [1])
    expect(near.findListEntry(keyOf(id))?.value).toEqual([1])
  })

  test('does not serve an entry without its generation', () => {
    const { near, put } = createStore()
    put('a')
    near.remove([keys.namespaceGeneration(things)])
    expect(near.find('things', 'a')).toBeUndefined()
  })

  test('is usable until maxStalenessMs after the last confirmation, and no longer', () => {
    const { near, clock } = createStore()
    clock.advance(500)
    expect(near.usable).toBe(true)
    clock.advance(1)
    expect(near.usable).toBe(false)
    near.confirm(clock.now() - 100)
    expect(near.usable).toBe(true)
  })

  test('stays within maxBytes by evicting entries and generations, which are then no longer found', () => {
    const { near, put, putGeneration } = createStore()
    const ids = Array.from({ length: 1_000 }, (_, index) => `k${index}`)
    for (const id of ids) put(id, 'x'.repeat(100))
    expect(near.findGeneration(keys.namespaceGeneration(things))).toBeUndefined()
    expect(near.find('things', 'k999')).toBeUndefined()
    putGeneration()
    expect(near.bytes).toBeLessThanOrEqual(10_000)
    const found = ids.filter((id) => near.find('things', id))
    expect([found.length > 10, found.length < 100, found.at(-1)]).toEqual([true, true, 'k999'])
  })

  test('a full store takes a new value of an entry that it has, and no new entry of which the draw is against it', () => {
    const { near, put, putGeneration } = createStore(() => 1)
    for (let index = 0; index < 1_000; index += 1) put(`k${index}`, 'x'.repeat(100))
    putGeneration()
    put('k0', 'y'.repeat(100))
    expect([near.find('things', 'k0')?.value, near.find('things', 'k999')]).toEqual(['y'.repeat(100), undefined])
  })

  test('a value that is too large to be kept replaces the value of before', () => {
    const { near, put } = createStore()
    put('a')
    put('a', 'x'.repeat(10_000))
    expect(near.find('things', 'a')).toBeUndefined()
  })
})
