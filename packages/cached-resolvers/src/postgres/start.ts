import { setTimeout as sleep } from 'node:timers/promises'
import type { TransactionSql } from 'postgres'
import { Cache, type CacheOptions } from '../cache/cache.js'
import type { Caller } from '../cache/caller.js'
import { MemoryStore } from '../cache/memory-store.js'
import { registerMetrics } from '../cache/metrics.js'
import { type AuditReport, audit } from '../loaders/audit.js'
import { type Entities, namespacesOf, type SourceOf } from '../loaders/entity.js'
import { createLoaderFactory, type Loaders } from '../loaders/loaders.js'
import type { Read } from '../loaders/reads.js'
import { createRead } from './cancellably.js'
import { createChangeSource } from './change-source.js'
import { collectChanges } from './changes.js'
import type { Database, Queryable } from './database.js'
import { Relay } from './relay.js'
import { ensureEventTriggers, followEntities } from './tracking.js'

export interface CachedEntitiesOptions<E> extends Partial<Omit<CacheOptions, 'namespaces'>> {
  entities: E
  /** A pool of postgres.js */
  database: Database
  /**
   * A pool of two connections for what the outbox needs; `database` unless given. With its own, what transactions wait for in `database`
   * does not delay the changes of others.
   */
  feed?: Database
  /** How entities are read; on `database`, until the reader gives up, unless given */
  read?: <T>(name: string, read: (database: Queryable) => Promise<T>, signal?: AbortSignal) => Promise<T>
  /** Of an application's own migrations: false where those run what trackingSql() gives. */
  follows?: boolean
}

/** Declared entities, read through a cache that follows their tables */
export interface CachedEntities<E> {
  cache: Cache
  relay: Relay
  /** The loaders of a request. `caller` says whether it has been given up; without it, nobody does. */
  createLoaders: (caller?: () => Caller) => Loaders<E>
  /** Runs work in a transaction. Resolves, with what it gave, once no process serves what was before; rejects, changing nothing, with its error. */
  write: <T>(work: (transaction: TransactionSql) => Promise<T>) => Promise<T>
  /** Compares entries of the cache, taken at random, with the database, and removes those that differ. 1,000 unless given */
  checkConsistency: (entries?: number) => Promise<AuditReport>
  /** Adds the metrics of the cache to a registry of prom-client. */
  registerMetrics: (registry: Parameters<typeof registerMetrics>[0]) => void
  stop: () => Promise<void>
}

/**
 * Makes the database note what changes in the tables of the entities, and starts the cache that follows it. Rejects where a declaration
 * cannot work or the database is away; a store that is away is waited for in the background, while reads go to the database.
 */
// biome-ignore lint/suspicious/noExplicitAny: of any values
export async function startCachedEntities<E extends Entities<any>>(
  options: CachedEntitiesOptions<E>,
): Promise<CachedEntities<E>> {
  const { entities, database, feed = database, follows = true, log = (message) => console.warn(message) } = options
  const { read = createRead(database), store = new MemoryStore(), prefix = 'cache' } = options
  const namespaces = namespacesOf(entities)
  if (follows) {
    await followEntities(feed, entities)
    if (!(await ensureEventTriggers(feed)))
      log('DDL does not invalidate what it changes: only a superuser may create event triggers')
  }
  const names = namespaces.map(({ name }) => name)
  const cache = new Cache({ ...options, store, prefix, namespaces, log })
  const relay = new Relay({
    ...{ database: feed, cache, namespaces, sleep, log, observeLag: () => {} },
    ...{ intervalMs: relayIntervalMs, inUseMs: trustLeaseMs, maxWaitMs: options.near?.maxStalenessMs ?? defaultMaxWaitMs },
  })
  try {
    await cache.connect(createChangeSource({ database: feed, relay, namespaces: names, leaseMs: trustLeaseMs }))
    await relay.start()
  } catch (error) {
    await cache.close()
    throw error
  }
  const countsTimer = setInterval(() => void cache.flushCounts(), countsIntervalMs)
  countsTimer.unref()
  return {
    ...{ cache, relay },
    createLoaders: createLoaderFactory(cache, entities, read as Read<SourceOf<E>>),
    async write(work) {
      const { value, changes } = await database.begin((transaction) => collectChanges(transaction, work))
      await relay.deliverOwn(changes)
      return value as Awaited<ReturnType<typeof work>>
    },
    checkConsistency: (entries = 1_000) =>
      audit({ cache, entities, read, pageSize: auditedPageSize, boundMs: trustLeaseMs, sleep }, entries),
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
/** What cache_wait() of tables.sql reckons with */
const trustLeaseMs = 2_000
const defaultMaxWaitMs = 500
const auditedPageSize = 20
