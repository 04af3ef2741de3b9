import type { Cache, Counts, Namespace } from 'cached-resolvers'
import type { Fetchers } from './fetchers.js'
import { namespaces } from './namespaces.js'
import { createWarmUp } from './warm-up.js'

/** The cache as a whole, by names of namespaces. `pageSize` is that of the pages that lists are warmed with. */
export function createCacheAdmin(cache: Cache, fetchers: Fetchers, pageSize: number) {
  const warmUp = createWarmUp(cache, fetchers, pageSize)
  return {
    async counts() {
      const counts = await cache.counts(namespaces.map(({ name }) => name))
      return new Map(
        [...counts].map(([name, its]) => [name, { ...its, errors: errors(its), ttlSeconds: byName(name).softTtlMs / 1000 }]),
      )
    },
    async info() {
      const nothing = { version: null, usedMemoryBytes: null, uptimeSeconds: null, connectedClients: null, keys: null }
      const info = await cache.info().catch(() => null)
      return { backend: cache.backend, available: info !== null, ...(info ?? nothing) }
    },
    flush: (name: string) => cache.invalidate(byName(name), 'all'),
    warmUp: async (name: string, limit: number) => (await warmUp[name]?.(limit)) ?? 0,
  }
}

function byName(name: string): Namespace<unknown> {
  const namespace = namespaces.find((its) => its.name === name)
  if (!namespace) throw new Error(`There is no namespace ${name}`)
  return namespace
}

function errors({ unavailable, refused, corrupt, failedRefills }: Counts): number {
  return unavailable + refused + corrupt + failedRefills
}
