import type { Cache } from '../cache/cache.js'
import type { Counts } from '../cache/counters.js'
import type { Inspection } from '../cache/inspection.js'
import { type Entities, namespacesOf } from './entity.js'
import { firstKeysOf } from './list-keys.js'
import { parametersOf } from './list-loader.js'
import { entryIdOf, type Read } from './reads.js'
import { createWarmUp } from './warm-up.js'

/** Entries of a list have parameters, such as the size of a page. */
export type InspectedEntries = readonly (Inspection & { parameters?: Readonly<Record<string, unknown>> })[]

/**
 * Creates operations on namespaces, which are identified by name. For each list, `warmUp` caches a page of `pageSize`
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
    /**
     * Returns what the cache holds in the namespace `name`: the entry of an id, or the counts and first pages of `pageSize` items
     * of a list, which is identified by its value of `key` or by its name in the outbox. Returns null if there is no such
     * namespace.
     */
    async inspect(name: string, idOrList: string): Promise<InspectedEntries | null> {
      for (const { namespace, lists } of Object.values(entities)) {
        if (namespace.name === name) return [await cache.inspect(namespace, idOrList)]
        const list = Object.values(lists).find((list) => list.namespace?.name === name)
        if (!list?.namespace) continue
        const { namespace: ofList } = list
        const keyValue = list.fromOutboxName(idOrList)
        const isOutboxName = list.toOutboxName(keyValue) === idOrList
        const keys = firstKeysOf(list, isOutboxName ? keyValue : idOrList, pageSize)
        return Promise.all(
          keys.map(async (key) => ({ ...(await cache.inspect(ofList, entryIdOf(list, key))), parameters: parametersOf(key) })),
        )
      }
      return null
    },
    flush: (name: string) => cache.invalidate(byName(name), 'all'),
    warmUp: async (name: string, limit: number) => (await warmUp.get(name)?.(limit)) ?? 0,
  }
}

function errors({ unavailable, refused, corrupt, failedRefills }: Counts): number {
  return unavailable + refused + corrupt + failedRefills
}
