import type * as real from '../../packages/cached-resolvers/src/postgres/cache-stores.js'
import type { SimulatedDatabase } from './database.js'
import type { PostgresServer } from './postgres-server.js'

/** Replaces packages/cached-resolvers/src/postgres/cache-stores.ts. The same contract tests run against both. */

export const findCacheStore: typeof real.findCacheStore = (database, name) => {
  return run(database, (server) => {
    const known = server.cacheStores.get(name)
    return known ? { registration: known.registration, wasUsed: known.inUseAt !== null } : null
  })
}

export const registerCacheStore: typeof real.registerCacheStore = (database, { name, namespaces }) => {
  return run(database, (server) => (server.cacheStores.has(name) ? null : server.register(name, namespaces)))
}

export const reportCacheStoreInUse: typeof real.reportCacheStoreInUse = (database, registration) => {
  return run(database, (server) => {
    const known = [...server.cacheStores.values()].find((store) => store.registration === registration)
    if (known) known.inUseAt = server.now
    return known !== undefined
  })
}

export const unregisterCacheStore: typeof real.unregisterCacheStore = (database, registration) => {
  return run(database, (server) => {
    for (const [name, store] of server.cacheStores) if (store.registration === registration) server.unregister(name)
  })
}

export const unregisterUnusedCacheStores: typeof real.unregisterUnusedCacheStores = (
  database,
  { unusedMs, laggingStoreUnusedMs, maxUnconfirmed },
) => {
  return run(database, (server) => {
    const rows = server.outboxRows(null)
    const isUsedWithin = (ms: number) =>
      [...server.cacheStores.values()].some(({ inUseAt }) => inUseAt !== null && inUseAt >= server.now - ms)
    const isAnyInUse = isUsedWithin(laggingStoreUnusedMs)
    for (const [name, { registration, namespaces, inUseAt, registeredAt }] of server.cacheStores) {
      const unusedForMs = server.now - Math.max(inUseAt ?? 0, registeredAt)
      const pending = rows.filter((row) => namespaces.includes(row.namespace) && !row.deliveredTo.includes(registration))
      const isBehind = isAnyInUse && pending.length > maxUnconfirmed
      if (unusedForMs > (isBehind ? Math.min(laggingStoreUnusedMs, unusedMs) : unusedMs)) server.unregister(name)
    }
  })
}

function run<T>(database: unknown, work: (server: PostgresServer) => T): Promise<T> {
  return (database as SimulatedDatabase).run<T>((server, _, reply) => reply(work(server)))
}
