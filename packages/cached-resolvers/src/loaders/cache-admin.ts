import type { Cache } from '../cache/cache.js'
import type { Counts } from '../cache/counters.js'
import { type Entities, namespacesOf } from './entity.js'
import type { Read } from './reads.js'
import { createWarmUp } from './warm-up.js'

/**
 * Creates operations on whole namespaces, which are identified by name. For each list, `warmUp` caches a page of `pageSize`
 * items.
 */
export function createCacheAdmin<Source>(cache: Cache, entities: Entities<Source>, read: Read<Source>, pageSize: number) {
  const warmUp = createWarmUp(cache, entities, read, pageSize)
  const namespaces = namespacesOf(entities)
  const byName = (name: string) => {
    const namespace = namespaces.find((namespace) => namespace.name === name)
    if (!namespace) throw new Error(`Unknown cache namespace "${name}"`)
    return namespace
  }
  return {
    async counts() {
      const counts = await cache.counts(namespaces.map(({ name }) => name))
      return new Map(
        [...counts].map(([name, count]) => [
          name,
          { ...count, errors: errors(count), ttlSeconds: byName(name).softTtlMs / 1000 },
        ]),
      )
    },
    async info() {
      const unavailable = { version: null, usedMemoryBytes: null, uptimeSeconds: null, connectedClients: null, keys: null }
      const info = await cache.info().catch(() => null)
      return { backend: cache.backend, available: info !== null, ...(info ?? unavailable) }
    },
    flush: (name: string) => cache.invalidate(byName(name), 'all'),
    warmUp: async (name: string, limit: number) => (await warmUp.get(name)?.(limit)) ?? 0,
  }
}

function errors({ unavailable, refused, corrupt, failedRefills }: Counts): number {
  return unavailable + refused + corrupt + failedRefills
}
