import { setTimeout as sleep } from 'node:timers/promises'
import type { TransactionSql } from 'postgres'
import { Cache, type CacheOptions } from '../cache/cache.js'
import type { Cancellation } from '../cache/cancellation.js'
import { MemoryStore } from '../cache/memory-store.js'
import { registerMetrics } from '../cache/metrics.js'
import { type AuditReport, audit } from '../loaders/audit.js'
import { type Entities, namespacesOf, type SourceOf } from '../loaders/entity.js'
import { createLoaderFactory, type Loaders } from '../loaders/loaders.js'
import type { Read } from '../loaders/reads.js'
import { createRead } from './abortable-query.js'
import { createChangeSource } from './change-source.js'
import { collectChanges } from './changes.js'
import type { Database, Queryable } from './database.js'
import { Relay } from './relay.js'
import { ensureEventTriggers, installTracking } from './tracking.js'

export interface CachedEntitiesOptions<E> extends Partial<Omit<CacheOptions, 'namespaces'>> {
  entities: E
  /** A pool of postgres.js */
  database: Database
  /**
   * A pool for the relay of the outbox; two connections suffice. Default: `database`. With a separate pool, transactions that
   * occupy all connections of `database` do not delay invalidations.
   */
  outboxDatabase?: Database
  /** Runs the reads of entities. Default: runs them on `database`, and cancels their statements when the signal is aborted */
  read?: <T>(name: string, read: (database: Queryable) => Promise<T>, signal?: AbortSignal) => Promise<T>
  /**
   * Whether startCachedEntities() installs tables and triggers. Set it to false if migrations run the script of trackingSql().
   * Default: true
   */
  installTracking?: boolean
}

/** Entities that are read through a cache; changes of their tables invalidate the cache. */
export interface CachedEntities<E> {
  cache: Cache
  relay: Relay
  /** Creates the loaders of a request. Without `cancellation`, the request cannot be cancelled. */
  createLoaders: (cancellation?: () => Cancellation) => Loaders<E>
  /**
   * Runs `work` in a transaction, commits it, and waits until no process serves the old values, but no longer than
   * `near.maxStalenessMs` (default: 500). Resolves with the result of `work`. If `work` throws, rolls the transaction back and
   * rejects with the error.
   */
  write: <T>(work: (transaction: TransactionSql) => Promise<T>) => Promise<T>
  /** Compares a random sample of cached entries (default: 1,000) with the database, and invalidates those that differ. */
  checkConsistency: (entries?: number) => Promise<AuditReport>
  /** Adds the metrics of the cache to a prom-client registry. */
  registerMetrics: (registry: Parameters<typeof registerMetrics>[0]) => void
  stop: () => Promise<void>
}

/**
 * Installs change tracking on the tables of the entities, and starts the cache and its relay. Rejects if a declaration is invalid
 * or the database is unreachable. If the store is unreachable, the cache reconnects in the background; until it has connected,
 * all reads go to the database.
 */
// biome-ignore lint/suspicious/noExplicitAny: entities of any values
export async function startCachedEntities<E extends Entities<any>>(
  options: CachedEntitiesOptions<E>,
): Promise<CachedEntities<E>> {
  const { entities, database, outboxDatabase = database, log = (message, level) => console[level](message) } = options
  const { read = createRead(database), store = new MemoryStore(), prefix = 'cache' } = options
  const namespaces = namespacesOf(entities)
  if (options.installTracking !== false) {
    await installTracking(outboxDatabase, entities)
    if (!(await ensureEventTriggers(outboxDatabase)))
      log('DDL will not invalidate cached entries: creating event triggers requires a superuser', 'warn')
  }
  const names = namespaces.map(({ name }) => name)
  const cache = new Cache({ ...options, store, prefix, namespaces, log })
  const relay = new Relay({
    database: outboxDatabase,
    cache,
    namespaces,
    intervalMs: relayIntervalMs,
    inUseMs: trustLeaseMs,
    maxWaitMs: options.near?.maxStalenessMs ?? defaultMaxWaitMs,
    sleep,
    observeLag: () => {},
    log: (message) => log(message, 'warn'),
  })
  try {
    await cache.connect(createChangeSource({ database: outboxDatabase, relay, namespaces: names, leaseMs: trustLeaseMs }))
    await relay.start()
  } catch (error) {
    await cache.close()
    throw error
  }
  const countsTimer = setInterval(() => void cache.flushCounts(), countsIntervalMs)
  countsTimer.unref()
  return {
    cache,
    relay,
    createLoaders: createLoaderFactory(cache, entities, read as Read<SourceOf<E>>),
    async write(work) {
      const { value, changes } = await database.begin((transaction) => collectChanges(transaction, work))
      await relay.deliverOwn(changes)
      return value as Awaited<ReturnType<typeof work>>
    },
    checkConsistency: (entries = 1_000) =>
      audit({ cache, entities, read, pageSize: auditPageSize, maxStalenessMs: trustLeaseMs, sleep }, entries),
    registerMetrics: (registry) => registerMetrics(registry, cache, names),
    async stop() {
      clearInterval(countsTimer)
      await relay.stop()
      await cache.close()
    },
  }
}

const countsIntervalMs = 1_000
const relayIntervalMs = 250
/** How long a process may serve from a store after reporting it in use. cache_wait() in tables.sql relies on this value. */
const trustLeaseMs = 2_000
const defaultMaxWaitMs = 500
const auditPageSize = 20
