import { afterEach, expect, test } from 'vitest'
import { noRedis, redisOptions, startRedis, type TestRedis } from '../../../../test/helpers/redis.js'
import { until } from '../../../../test/helpers/until.js'
import { Cache } from '../../src/cache/cache.js'
import { CountedEntries } from '../../src/cache/counted-entries.js'
import { MemoryStore } from '../../src/cache/memory-store.js'
import type { EntryId, Namespace } from '../../src/cache/namespace.js'
import type { CacheStore } from '../../src/cache/store.js'
import { RedisStore } from '../../src/redis/redis-store.js'

const things: Namespace<string> = { name: 'things', version: 1, softTtlMs: 60_000, graceMs: 60_000, negativeTtlMs: 10_000 }
const pages: Namespace<string[]> = { ...things, name: 'pages', value: [] }
const page = { list: 'all', parameters: { size: 20 } }

let caches: Cache[] = []
let redis: TestRedis | undefined
afterEach(async () => {
  await Promise.all(caches.map((cache) => cache.close()))
  await redis?.stop()
  caches = []
  redis = undefined
})

async function createCache(store: CacheStore): Promise<Cache> {
  const near = { maxBytes: 1e6, maxStalenessMs: 60_000 }
  const cache = new Cache({ store, prefix: 'hot-keys', namespaces: [things, pages], near })
  caches.push(cache)
  await cache.connect()
  return cache
}

const values = async (ids: readonly string[]) => new Map(ids.filter((id) => id !== 'none').map((id) => [id, `value of ${id}`]))
const pagesOf = async (ids: readonly EntryId[]) => new Map(ids.map((id) => [id, ['a']]))
const lookups = async (cache: Cache) => {
  const counts = [...(await cache.counts(['things', 'pages'])).values()]
  return counts.reduce((sum, { hits, misses }) => sum + hits + misses, 0)
}
const readsByKey = ({ hotKeys }: ReturnType<Cache['takeHotKeys']>) =>
  Object.fromEntries(hotKeys.map(({ namespace, idOrList, reads }) => [`${namespace}/${idOrList}`, reads]))

test('every lookup in the store is a read: misses, hits, negative hits, batches, and pages of lists', async () => {
  const cache = await createCache(new MemoryStore({ maxBytes: 1e6 }))
  const settle = async (ids: string[]) => Promise.all(await cache.getOrFetchMany(things, ids, values))
  await settle(['a', 'b', 'none'])
  await settle(['a', 'none'])
  await cache.read(things, 'a')
  await cache.readMany(things, ['a', 'b'])
  await cache.getOrFetch(pages, page, pagesOf)
  await cache.getOrFetch(pages, page, pagesOf)
  const taken = cache.takeHotKeys(10)
  expect(readsByKey(taken)).toEqual({ 'things/a': 4, 'things/b': 2, 'things/none': 2, 'pages/all': 2 })
  expect(taken.hotKeys.find(({ namespace }) => namespace === 'pages')).toEqual({ namespace: 'pages', idOrList: 'all', parameters: page.parameters, reads: 2 }) // biome-ignore format: one object
  expect(taken.reads).toBe(await lookups(cache))
})

test('what is not a lookup of a client is no read: inspection, audits, warm-up', async () => {
  const cache = await createCache(new MemoryStore({ maxBytes: 1e6 }))
  await cache.warmMany(things, ['a'], values)
  await cache.peekMany(things, ['a'])
  await cache.inspect(things, 'a')
  await cache.has(things, 'a')
  expect(cache.takeHotKeys(10)).toEqual({ reads: 0, hotKeys: [] })
})

test.skipIf(noRedis)('every hit of the near store is a read, with and without a promise, once for each request', async () => {
  redis = await startRedis()
  const cache = await createCache(new RedisStore(redisOptions(redis.url)))
  await cache.getOrFetch(things, 'a', values)
  await cache.getOrFetch(pages, page, pagesOf)
  const isNear = <V>(namespace: Namespace<V>, id: EntryId) =>
    until(async () => {
      await cache.read(namespace, id)
      return cache.readNear(namespace, id, new CountedEntries()) !== undefined
    })
  await isNear(things, 'a')
  await isNear(pages, page)
  cache.takeHotKeys(10)
  const lookupsBefore = await lookups(cache)

  const request = new CountedEntries()
  for (let times = 0; times < 3; times += 1) cache.readNear(things, 'a', request)
  cache.readNear(pages, page, request)
  cache.readNear(things, 'a', new CountedEntries())
  await cache.getOrFetchMany(things, ['a', 'b'], values)
  const taken = cache.takeHotKeys(10)
  expect(readsByKey(taken)).toEqual({ 'things/a': 3, 'things/b': 1, 'pages/all': 1 })
  expect(taken.reads).toBe((await lookups(cache)) - lookupsBefore)
})
