import { describe, expect, test } from 'vitest'
import { createClock } from '../../../../test/helpers/clock.js'
import { deferred } from '../../../../test/helpers/deferred.js'
import { until } from '../../../../test/helpers/until.js'
import { Cache } from '../../src/cache/cache.js'
import { MemoryStore } from '../../src/cache/memory-store.js'
import type { Namespace } from '../../src/cache/namespace.js'
import { type CacheStore, StoreUnavailableError, type Swap } from '../../src/cache/store.js'
import { createTokenSource } from '../../src/cache/token.js'

// Each guarantee is tested twice: with its mechanism, and without it, where the test must fail. A test that passes
// either way would prove nothing.

const things: Namespace<string> = { name: 'things', version: 1, softTtlMs: 60_000, graceMs: 60_000, negativeTtlMs: 10_000 }

function createStore(): CacheStore {
  return new MemoryStore({ maxBytes: 1e6, now: () => performance.now() })
}

/** The methods of a store, with some of them replaced. */
function storeWith(store: CacheStore, replaced: Partial<CacheStore>): CacheStore {
  return new Proxy(store, {
    get(target, name) {
      const method = replaced[name as keyof CacheStore] ?? target[name as keyof CacheStore]
      return typeof method === 'function' ? method.bind(target) : method
    },
  })
}

async function createCache(store: CacheStore, catchUp?: () => Promise<void>, leaseWaitMs = 1_000): Promise<Cache> {
  const clock = createClock()
  const cache = new Cache({
    store,
    ...{ prefix: 'p', version: 'v1', namespaces: [things], near: null, leaseMs: 10_000, leaseWaitMs },
    fetchLimits: { maxRunning: 100, maxRunMs: 60_000, maxWaiting: 0, maxWaitMs: 0 },
    ...{ createToken: createTokenSource(), now: clock.now, sleep: clock.sleep, random: () => 0.5 },
  })
  await cache.connect(catchUp ? { catchUp } : {})
  return cache
}

const fetchOf = (value: string) => async (ids: readonly string[]) => new Map(ids.map((id) => [id, value]))

describe('a fill never overwrites a newer value', () => {
  /** read (old) - commit (new) - invalidate - fill (old) - read again */
  async function interleave(store: CacheStore): Promise<string | null> {
    const cache = await createCache(store)
    const oldRow = deferred<Map<string, string>>()
    let reading = false
    const slow = cache.getOrFetch(things, 'a', () => {
      reading = true
      return oldRow.promise
    })
    await until(() => reading)
    await cache.invalidate(things, { ids: ['a'] })
    oldRow.resolve(new Map([['a', 'old']]))
    await slow
    await new Promise((resolve) => setImmediate(resolve))
    return cache.getOrFetch(things, 'a', fetchOf('new'))
  }

  test('with leases, the slow fill is dropped', async () => {
    expect(await interleave(createStore())).toBe('new')
  })

  test('with unconditional fills, the old value returns', async () => {
    const store = createStore()
    const swapMany = (swaps: readonly Swap[]) => {
      const always = (swap: Swap): Swap => (swap.when.state === 'startsWith' ? { ...swap, when: { state: 'notLeased' } } : swap)
      return MemoryStore.prototype.swapMany.call(store, swaps.map(always))
    }
    expect(await interleave(storeWith(store, { swapMany }))).toBe('old')
  })
})

describe('a stampede over several processes causes one fetch', () => {
  async function stampede(leaseWaitMs: number): Promise<number> {
    const store = createStore()
    const caches = [await createCache(store, undefined, leaseWaitMs), await createCache(store, undefined, leaseWaitMs)]
    const row = deferred<Map<string, string>>()
    let fetches = 0
    const reads = caches.map((cache) =>
      cache.getOrFetch(things, 'a', () => {
        fetches += 1
        return row.promise
      }),
    )
    await until(() => fetches > 0)
    // Enough turns for the waiting process to time out
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve))
    row.resolve(new Map([['a', 'A']]))
    expect(await Promise.all(reads)).toEqual(['A', 'A'])
    return fetches
  }

  test('if the other processes wait for it', async () => {
    expect(await stampede(60_000)).toBe(1)
  })

  test('and one for each process if they do not wait', async () => {
    expect(await stampede(0)).toBe(2)
  })
})

describe('a store that was unreachable is not trusted before it has been caught up with', () => {
  /** An invalidation is lost, and the store is available again at once. */
  async function loseInvalidation(catchUp: (cache: () => Cache) => Promise<void>): Promise<string | null> {
    const store = createStore()
    let isUnavailable = false
    const removeMany = (keys: readonly string[]) =>
      isUnavailable ? Promise.reject(new StoreUnavailableError('away')) : MemoryStore.prototype.removeMany.call(store, keys)
    let cache: Cache | undefined
    const created = await createCache(storeWith(store, { removeMany }), () => catchUp(() => cache as Cache))
    cache = created
    await created.getOrFetch(things, 'a', fetchOf('old'))
    isUnavailable = true
    expect(await created.invalidate(things, { ids: ['a'] })).toBe(false)
    isUnavailable = false
    await until(() => created.trusted)
    return created.getOrFetch(things, 'a', fetchOf('new'))
  }

  test('pending invalidations are delivered first', async () => {
    let calls = 0
    const deliver = async (cache: () => Cache) => {
      calls += 1
      if (calls > 1) await cache().invalidate(things, { ids: ['a'] })
    }
    expect(await loseInvalidation(deliver)).toBe('new')
  })

  test('without the delivery, the old value is served', async () => {
    expect(await loseInvalidation(async () => {})).toBe('old')
  })
})

describe('while the store is unavailable, a read joins no fetch that began before it', () => {
  test('one fetch runs, and all reads in the meantime share the next one, which begins when the first has ended', async () => {
    const cache = await createCache(storeWith(createStore(), { ping: () => Promise.reject(new StoreUnavailableError('away')) }))
    const rows = [deferred<Map<string, string>>(), deferred<Map<string, string>>()]
    let fetches = 0
    const fetch = () => {
      fetches += 1
      return rows[fetches - 1]?.promise ?? Promise.reject(new Error('one fetch too many'))
    }
    const first = cache.getOrFetch(things, 'a', fetch)
    await until(() => fetches === 1)
    // The first fetch has read the row by now. The row is changed here.
    const others = [1, 2, 3].map(() => cache.getOrFetch(things, 'a', fetch))
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve))
    expect(fetches).toBe(1)
    rows[0]?.resolve(new Map([['a', 'old']]))
    expect(await first).toBe('old')
    await until(() => fetches === 2)
    rows[1]?.resolve(new Map([['a', 'new']]))
    expect(await Promise.all(others)).toEqual(['new', 'new', 'new'])
    expect(fetches).toBe(2)
  })

  test('the next one also begins if the first fails', async () => {
    const cache = await createCache(storeWith(createStore(), { ping: () => Promise.reject(new StoreUnavailableError('away')) }))
    const row = deferred<Map<string, string>>()
    const first = cache.getOrFetch(things, 'a', () => row.promise)
    const second = Promise.resolve().then(() => cache.getOrFetch(things, 'a', fetchOf('new')))
    row.reject(new Error('gone'))
    await expect(first).rejects.toThrow('gone')
    expect(await second).toBe('new')
  })
})

describe('an evicted generation', () => {
  test('invalidates its entries for good, because generations are random', async () => {
    const store = createStore()
    const cache = await createCache(store)
    await cache.getOrFetch(things, 'a', fetchOf('old'))
    await store.removeMany(['p:v1:things'])
    await cache.getOrFetch(things, 'b', fetchOf('B'))
    expect((await cache.read(things, 'a')).state).toBe('miss')
  })

  test('would restore its entries if generations were counted from one', async () => {
    const store = createStore()
    const swapMany = (swaps: readonly Swap[]) => {
      const counted = (swap: Swap): Swap => (swap.key === 'p:v1:things' ? { ...swap, value: '1' } : swap)
      return MemoryStore.prototype.swapMany.call(store, swaps.map(counted))
    }
    const cache = await createCache(storeWith(store, { swapMany }))
    await cache.getOrFetch(things, 'b', fetchOf('B'))
    await cache.getOrFetch(things, 'a', fetchOf('old'))
    await store.removeMany(['p:v1:things'])
    await cache.getOrFetch(things, 'c', fetchOf('C'))
    expect((await cache.read(things, 'a')).state).toBe('hit')
  })
})
