import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Clock, createClock } from '../../../../test/helpers/clock.js'
import { deferred } from '../../../../test/helpers/deferred.js'
import { noRedis, redisOptions, startRedis } from '../../../../test/helpers/redis.js'
import { until } from '../../../../test/helpers/until.js'
import { Cache } from '../../src/cache/cache.js'
import { MemoryStore } from '../../src/cache/memory-store.js'
import type { ListEntryId, Namespace } from '../../src/cache/namespace.js'
import type { CacheStore } from '../../src/cache/store.js'
import { createTokenSource } from '../../src/cache/token.js'
import { RedisStore } from '../../src/redis/redis-store.js'

type Thing = { name: string }
const minute = { version: 1, softTtlMs: 60_000, graceMs: 60_000, negativeTtlMs: 10_000 }
const things: Namespace<Thing> = { ...minute, name: 'things' }
const pages: Namespace<string[]> = { ...minute, name: 'pages' }

const backends: [string, boolean, () => Promise<{ store: CacheStore; stop: () => Promise<void> }>][] = [
  [
    'in the process',
    false,
    async () => ({ store: new MemoryStore({ maxBytes: 1e6, now: () => performance.now() }), stop: async () => {} }),
  ],
  [
    'Redis',
    noRedis,
    async () => {
      const redis = await startRedis()
      const options = redisOptions(redis.url)
      return { store: new RedisStore(options), stop: redis.stop }
    },
  ],
]

describe.each(backends)('the cache over a store: %s', (_, skip, start) => {
  describe.skipIf(skip)('', () => {
    let store: CacheStore
    let stop: () => Promise<void>
    let prefix = 0
    beforeAll(async () => {
      ;({ store, stop } = await start())
      await store.connect()
    })
    afterAll(async () => {
      await store.close()
      await stop()
    })

    /** Caches with the same prefix behave like several processes. */
    async function createCaches(count = 1, clock: Clock = createClock()) {
      prefix += 1
      const create = async () => {
        const cache = new Cache({
          store,
          prefix: `test-${prefix}`,
          version: 'v1',
          namespaces: [things, pages],
          near: null,
          fetchLimits: { maxRunning: 100, maxRunMs: 60_000, maxWaiting: 0, maxWaitMs: 0 },
          leaseMs: 10_000,
          leaseWaitMs: 1_000,
          createToken: createTokenSource(),
          now: clock.now,
          sleep: clock.sleep,
          random: () => 0.5,
        })
        await cache.connect()
        return cache
      }
      return (await Promise.all(Array.from({ length: count }, create))) as [Cache, Cache]
    }

    function fetcher(rows: Record<string, Thing>) {
      const calls: string[][] = []
      const fetch = async (ids: readonly string[]) => {
        calls.push([...ids])
        return new Map(ids.filter((id) => id in rows).map((id) => [id, rows[id] as Thing]))
      }
      return { calls, fetch }
    }

    const settle = async (cache: Cache, ids: string[], fetch: (ids: readonly string[]) => Promise<Map<string, Thing>>) =>
      Promise.all(await cache.getOrFetchMany(things, ids, fetch))
    const counts = async (cache: Cache) => (await cache.counts(['things'])).get('things')

    test('a miss is fetched once, and then it is a hit', async () => {
      const [cache] = await createCaches()
      const { calls, fetch } = fetcher({ a: { name: 'A' } })
      expect(await cache.getOrFetch(things, 'a', fetch)).toEqual({ name: 'A' })
      expect(await cache.getOrFetch(things, 'a', fetch)).toEqual({ name: 'A' })
      expect(await cache.read(things, 'a')).toMatchObject({ state: 'hit', value: { name: 'A' } })
      expect(calls).toEqual([['a']])
    })

    test('falsy values are hits', async () => {
      const [cache] = await createCaches()
      const numbers: Namespace<number | string | boolean> = { ...minute, name: 'numbers' }
      const fetch = async () => new Map<string, number | string | boolean>([['zero', 0], ['empty', ''], ['no', false]]) // biome-ignore format: a table
      await Promise.all(await cache.getOrFetchMany(numbers, ['zero', 'empty', 'no'], fetch))
      const lookups = await cache.readMany(numbers, ['zero', 'empty', 'no'])
      expect(lookups).toMatchObject([
        { state: 'hit', value: 0 },
        { state: 'hit', value: '' },
        { state: 'hit', value: false },
      ])
    })

    test('of a mixed batch only the misses are fetched, and values are returned in the order of the ids', async () => {
      const [cache] = await createCaches()
      const { calls, fetch } = fetcher({ a: { name: 'A' }, b: { name: 'B' }, c: { name: 'C' } })
      await settle(cache, ['b'], fetch)
      expect(await settle(cache, ['c', 'nobody', 'b', 'a'], fetch)).toEqual([{ name: 'C' }, null, { name: 'B' }, { name: 'A' }])
      expect(calls).toEqual([['b'], ['c', 'nobody', 'a']])
    })

    test('a missing row is cached as a negative entry', async () => {
      const clock = createClock()
      const [cache] = await createCaches(1, clock)
      const { calls, fetch } = fetcher({})
      expect(await settle(cache, ['x'], fetch)).toEqual([null])
      expect(await cache.read(things, 'x')).toEqual({ state: 'negative' })
      expect(await cache.has(things, 'x')).toBe(false)
      await settle(cache, ['x'], fetch)
      expect(calls).toHaveLength(1)
    })

    test('remainingTtlMs returns how long a value stays fresh', async () => {
      const clock = createClock()
      const [cache] = await createCaches(1, clock)
      await settle(cache, ['a'], fetcher({ a: { name: 'A' } }).fetch)
      expect(await cache.remainingTtlMs(things, 'a')).toBe(60_000)
      clock.advance(20_000)
      expect(await cache.remainingTtlMs(things, 'a')).toBe(40_000)
      expect(await cache.has(things, 'a')).toBe(true)
      expect(await cache.remainingTtlMs(things, 'b')).toBe(null)
    })

    test('a clock that is set back during a fetch does not corrupt the entry', async () => {
      const clock = createClock()
      const [cache] = await createCaches(1, clock)
      const fetch = async () => {
        clock.advance(-3_600_000)
        return new Map([['a', { name: 'A' }]])
      }
      await settle(cache, ['a'], fetch)
      expect(await cache.read(things, 'a')).toMatchObject({ state: 'hit', value: { name: 'A' } })
    })

    test('an invalidated entry is fetched again', async () => {
      const [cache, other] = await createCaches(2)
      const rows = { a: { name: 'old' }, b: { name: 'B' } }
      const { calls, fetch } = fetcher(rows)
      await settle(cache, ['a', 'b'], fetch)
      rows.a = { name: 'new' }
      expect(await other.invalidate(things, { ids: ['a'] })).toBe(true)
      expect(await settle(cache, ['a', 'b'], fetch)).toEqual([{ name: 'new' }, { name: 'B' }])
      expect(calls).toEqual([['a', 'b'], ['a']])
    })

    test('a fill that was overtaken by an invalidation does not land', async () => {
      const [cache, other] = await createCaches(2)
      const [lease] = await cache.leaseMany(things, ['a'])
      await other.invalidate(things, { ids: ['a'] })
      expect(await cache.fill(things, lease as never, { name: 'old' })).toBe(false)
      expect(await cache.read(things, 'a')).toEqual({ state: 'miss' })
    })

    test('nor does a fill whose key was leased again after an invalidation', async () => {
      const [cache, other] = await createCaches(2)
      const [slow] = await cache.leaseMany(things, ['a'])
      await other.invalidate(things, { ids: ['a'] })
      const [quick] = await other.leaseMany(things, ['a'])
      expect(await cache.fill(things, slow as never, { name: 'old' })).toBe(false)
      expect(await other.fill(things, quick as never, { name: 'new' })).toBe(true)
      expect(await cache.read(things, 'a')).toMatchObject({ state: 'hit', value: { name: 'new' } })
    })

    test.each(['namespace', 'list'] as const)(
      'a fill that was overtaken by the invalidation of its %s cannot be read',
      async (what) => {
        const [cache, other] = await createCaches(2)
        const id: ListEntryId = { list: 'l', parameters: { page: 1 } }
        const [lease] = await cache.leaseMany(pages, [id])
        await other.invalidate(pages, what === 'list' ? { lists: ['l'] } : 'all')
        await cache.fill(pages, lease as never, ['old'])
        expect(await cache.read(pages, id)).toEqual({ state: 'miss' })
      },
    )

    test('invalidating a list covers its entries, whatever their parameters, and no other list', async () => {
      const [cache] = await createCaches()
      const entry = (list: string, page: number): ListEntryId => ({ list, parameters: { page, size: 20 } })
      const ids = [entry('a', 1), entry('a', 2), entry('b', 1)]
      await Promise.all(await cache.getOrFetchMany(pages, ids, async (missed) => new Map(missed.map((id) => [id, ['x']]))))
      expect(await cache.read(pages, { list: 'a', parameters: { size: 20, page: 1 } })).toMatchObject({ state: 'hit' })
      await cache.invalidate(pages, { lists: ['a'] })
      expect((await cache.readMany(pages, ids)).map(({ state }) => state)).toEqual(['miss', 'miss', 'hit'])
    })

    test('invalidating a namespace covers all of it, and no other', async () => {
      const [cache] = await createCaches()
      await settle(cache, ['a', 'b'], fetcher({ a: { name: 'A' }, b: { name: 'B' } }).fetch)
      await cache.getOrFetch(pages, 'p', async () => new Map([['p', ['x']]]))
      await cache.invalidate(things, 'all')
      expect((await cache.readMany(things, ['a', 'b'])).map(({ state }) => state)).toEqual(['miss', 'miss'])
      expect(await cache.read(pages, 'p')).toMatchObject({ state: 'hit' })
    })

    test('a list named "a:b" is not entry "b" of list "a", and a name is not confused with its prefix', async () => {
      const [cache] = await createCaches()
      await settle(cache, ['a', 'a:b'], fetcher({ a: { name: 'A' }, 'a:b': { name: 'AB' } }).fetch)
      await cache.invalidate(things, { ids: ['a'] })
      expect((await cache.readMany(things, ['a', 'a:b'])).map(({ state }) => state)).toEqual(['miss', 'hit'])
    })

    test('an entry of another version of the namespace is a miss and is replaced', async () => {
      const [cache] = await createCaches()
      const next = { ...things, version: 2 }
      await settle(cache, ['a'], fetcher({ a: { name: 'old shape' } }).fetch)
      expect(await cache.read(next, 'a')).toEqual({ state: 'miss' })
      await cache.getOrFetch(next, 'a', fetcher({ a: { name: 'new shape' } }).fetch)
      expect(await cache.read(next, 'a')).toMatchObject({ state: 'hit', value: { name: 'new shape' } })
    })

    test.each(['garbage', '1|x|y', '1|t|g|1|1|1|{"broken', '', '\0'])(
      'a corrupt entry %j is a miss and is replaced',
      async (text) => {
        const [cache] = await createCaches()
        const { fetch } = fetcher({ a: { name: 'A' } })
        await settle(cache, ['a'], fetch)
        const key = `test-${prefix}:v1:things:a`
        await store.removeMany([key])
        await store.swapMany([{ key, when: { state: 'absent' }, value: text, ttlMs: null }])
        expect(await settle(cache, ['a'], fetch)).toEqual([{ name: 'A' }])
        expect(await cache.read(things, 'a')).toMatchObject({ state: 'hit' })
      },
    )

    test('a corrupt generation makes entries misses and is replaced', async () => {
      const [cache] = await createCaches()
      const { fetch } = fetcher({ a: { name: 'A' } })
      const key = `test-${prefix}:v1:things`
      await store.swapMany([{ key, when: { state: 'absent' }, value: 'no|generation', ttlMs: null }])
      expect(await settle(cache, ['a'], fetch)).toEqual([{ name: 'A' }])
      expect(await cache.read(things, 'a')).toMatchObject({ state: 'hit' })
    })

    test('callers in one process share a fetch in flight', async () => {
      // If the machine stalls meanwhile, the process may have missed invalidations, and callers wait for the fill instead: try again.
      await until(async () => {
        const [cache] = await createCaches()
        const row = deferred<Map<string, Thing>>()
        let calls = 0
        const fetch = () => {
          calls += 1
          return row.promise
        }
        const first = cache.getOrFetch(things, 'a', fetch)
        // A caller that reads the lease before its fetch has started waits for the fill instead.
        await until(() => calls === 1)
        const readers = [first, ...Array.from({ length: 49 }, () => cache.getOrFetch(things, 'a', fetch))]
        await until(() => {
          const { coalesced, leaseWaits } = cache.ownCounts(things)
          return coalesced + leaseWaits === 49 || calls > 1
        })
        row.resolve(new Map([['a', { name: 'A' }]]))
        expect(await Promise.all(readers)).toEqual(readers.map(() => ({ name: 'A' })))
        if (cache.ownCounts(things).coalesced < 49) return false
        expect(calls).toBe(1)
        await until(() => cache.ownCounts(things).fills === 1)
        expect(await counts(cache)).toMatchObject({ misses: 50, coalesced: 49, fills: 1 })
        return true
      })
    })

    test('after an invalidation no caller joins a fetch that began before it', async () => {
      const [cache] = await createCaches()
      const old = deferred<Map<string, Thing>>()
      const slow = cache.getOrFetch(things, 'a', () => old.promise)
      await until(async () => (await cache.leaseMany(things, ['a'])).length === 0)
      await cache.invalidate(things, { ids: ['a'] })
      expect(await cache.getOrFetch(things, 'a', fetcher({ a: { name: 'new' } }).fetch)).toEqual({ name: 'new' })
      old.resolve(new Map([['a', { name: 'old' }]]))
      await slow
      expect(await cache.read(things, 'a')).toMatchObject({ state: 'hit', value: { name: 'new' } })
    })

    test.each(['list', 'namespace'] as const)('nor after the invalidation of its %s', async (what) => {
      const [cache] = await createCaches()
      const id: ListEntryId = { list: 'l', parameters: { page: 1 } }
      const old = deferred<Map<ListEntryId, string[]>>()
      let reading = false
      const slow = cache.getOrFetch(pages, id, () => {
        reading = true
        return old.promise
      })
      await until(() => reading)
      await cache.invalidate(pages, what === 'list' ? { lists: ['l'] } : 'all')
      const next = cache.getOrFetch(pages, { ...id }, async (ids) => new Map(ids.map((entryId) => [entryId, ['new']])))
      old.resolve(new Map([[id, ['old']]]))
      expect(await slow).toEqual(['old'])
      expect(await next).toEqual(['new'])
    })

    test('another process waits for the fill and does not fetch', async () => {
      const [first, second] = await createCaches(2)
      const row = deferred<Map<string, Thing>>()
      const filling = first.getOrFetch(things, 'a', () => row.promise)
      await until(async () => (await second.leaseMany(things, ['a'])).length === 0)
      const { calls, fetch } = fetcher({ a: { name: 'second' } })
      const waiting = second.getOrFetch(things, 'a', fetch)
      // A busy loop, as waiting would advance the test clock.
      while ((await counts(second))?.leaseWaits !== 1);
      row.resolve(new Map([['a', { name: 'first' }]]))
      expect(await Promise.all([filling, waiting])).toEqual([{ name: 'first' }, { name: 'first' }])
      expect(calls).toEqual([])
    })

    test('a wait that lasts too long ends in a fetch that does not fill', async () => {
      const [first, second] = await createCaches(2)
      await first.leaseMany(things, ['a'])
      expect(await second.getOrFetch(things, 'a', fetcher({ a: { name: 'A' } }).fetch)).toEqual({ name: 'A' })
      expect(await second.read(things, 'a')).toEqual({ state: 'miss' })
    })

    test('a waiting process fetches when the lease is released', async () => {
      const [first, second] = await createCaches(2)
      const row = deferred<Map<string, Thing>>()
      const failing = first.getOrFetch(things, 'a', () => row.promise)
      await until(async () => (await second.leaseMany(things, ['a'])).length === 0)
      const waiting = second.getOrFetch(things, 'a', fetcher({ a: { name: 'A' } }).fetch)
      row.reject(new Error('the database is unavailable'))
      await expect(failing).rejects.toThrow('the database is unavailable')
      expect(await waiting).toEqual({ name: 'A' })
    })

    test('a failed fetch rejects only the values that needed it', async () => {
      const [cache] = await createCaches()
      await settle(cache, ['a'], fetcher({ a: { name: 'A' } }).fetch)
      const answers = await cache.getOrFetchMany(things, ['a', 'b'], async () => Promise.reject(new Error('unavailable')))
      expect((await Promise.allSettled(answers)).map(({ status }) => status)).toEqual(['fulfilled', 'rejected'])
    })

    test('past its soft TTL a value is served at once and refilled in the background', async () => {
      const clock = createClock()
      const [cache] = await createCaches(1, clock)
      const rows = { a: { name: 'old' } }
      const { calls, fetch } = fetcher(rows)
      await settle(cache, ['a'], fetch)
      clock.advance(60_000)
      rows.a = { name: 'new' }
      expect(await settle(cache, ['a'], fetch)).toEqual([{ name: 'old' }])
      await until(async () => (await cache.read(things, 'a')).state === 'hit')
      expect(await settle(cache, ['a'], fetch)).toEqual([{ name: 'new' }])
      expect(calls).toHaveLength(2)
      expect(await counts(cache)).toMatchObject({ misses: 1 })
    })

    test('only one process refills an entry, and an invalidation overtakes the refill', async () => {
      const clock = createClock()
      const [cache, other] = await createCaches(2, clock)
      await settle(cache, ['a'], fetcher({ a: { name: 'old' } }).fetch)
      clock.advance(60_000)
      const row = deferred<Map<string, Thing>>()
      let calls = 0
      const fetch = () => {
        calls += 1
        return row.promise
      }
      await settle(cache, ['a'], fetch)
      await until(() => calls === 1)
      await settle(other, ['a'], fetch)
      await other.invalidate(things, { ids: ['a'] })
      row.resolve(new Map([['a', { name: 'overtaken' }]]))
      await until(async () => (await other.read(things, 'a')).state === 'miss')
      expect(calls).toBe(1)
    })

    test('if the refill fails, the stale value is still served', async () => {
      const clock = createClock()
      const [cache] = await createCaches(1, clock)
      await settle(cache, ['a'], fetcher({ a: { name: 'A' } }).fetch)
      clock.advance(100_000)
      const failing = () => Promise.reject(new Error('the database is unavailable'))
      expect(await settle(cache, ['a'], failing)).toEqual([{ name: 'A' }])
      expect(await settle(cache, ['a'], failing)).toEqual([{ name: 'A' }])
      expect(await counts(cache)).toMatchObject({ hits: 2, staleHits: 2 })
    })

    test('warming fills what is missing and counts no lookup', async () => {
      const [cache] = await createCaches()
      const { calls, fetch } = fetcher({ a: { name: 'A' }, b: { name: 'B' } })
      await settle(cache, ['a'], fetch)
      expect(await cache.warmMany(things, ['a', 'b'], fetch)).toBe(2)
      expect(calls).toEqual([['a'], ['b']])
      expect(await counts(cache)).toMatchObject({ hits: 0, misses: 1, fills: 2 })
    })

    test('the counters are exact, summed over processes', async () => {
      const [cache, other] = await createCaches(2)
      const { fetch } = fetcher({ a: { name: 'A' }, b: { name: 'B' } })
      await settle(cache, ['a', 'b', 'nobody'], fetch)
      await settle(other, ['a', 'nobody'], fetch)
      await other.invalidate(things, { ids: ['a', 'b'] })
      await settle(cache, ['a'], fetch)
      await other.flushCounts()
      expect(await counts(cache)).toEqual({
        ...{ hits: 2, negativeHits: 1, staleHits: 0, misses: 4 },
        nearHits: 0,
        ...{ unavailable: 0, refused: 0, corrupt: 0, failedRefills: 0, shed: 0, audited: 0, wrong: 0 },
        ...{ coalesced: 0, leaseWaits: 0, fills: 4, invalidations: 2 },
      })
    })
  })
})
