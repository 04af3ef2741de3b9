import { RedisStore } from '../../src/cache/redis-store.js'
import { createCache, createNamespaces, fetchItems, idsUpTo, storeOptions } from './items.js'
import { load } from './load.js'

const ages = 60

/** Entries of all ages, so that refills come from the first second on as they do after hours. */
export async function prefill(url: string, softTtlMs: number, probes: number): Promise<void> {
  let ageMs = 0
  const cache = createCache({ store: new RedisStore(storeOptions(url)), near: false, now: () => Date.now() - ageMs })
  const namespaces = createNamespaces(softTtlMs)
  const ids = idsUpTo(load.items).filter((_, index) => index % load.coldEvery !== load.coldEvery - 1)
  await cache.connect()
  for (let age = 0; age < ages; age += 1) {
    ageMs = (softTtlMs * 0.9 * age) / ages
    // Not neighbours, so that items of all popularities are of all ages.
    const its = ids.filter((_, index) => index % ages === age)
    await cache.warmMany(namespaces.items, its, fetchItems)
  }
  ageMs = 0
  await cache.warmMany(namespaces.probes, idsUpTo(probes), fetchItems)
  await cache.close()
}
