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
import { readCancellably } from './cancellably.js'
import { createChangeSource } from './change-source.js'
import { collectChanges } from './changes.js'
import type { Database, Queryable } from './database.js'
import { Relay } from './relay.js'
import { ensureEventTriggers, followEntities } from './tracking.js'

export interface CachedEntitiesOptions<E> extends Partial<Omit<CacheOptions, 'namespaces'>>, Partial<RelayTimes> {
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
  /** Called for each change, with the seconds from its commit to the confirmation of the cache */
  observeLag?: (seconds: number) => void
}

interface RelayTimes {
  /** How often changes are looked for without a notification. 250 ms unless given */
  intervalMs: number
  /** So long a process may trust its cache without a word from the database: the bound for commits by SQL. 2,000 ms unless given */
  trustLeaseMs: number
  /** How long a transaction waits, after its commit, for processes that do not answer. 500 ms unless given */
  maxWaitMs: number
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
  const { read = createRead(database), trustLeaseMs = 2_000, maxWaitMs = 500, intervalMs = 250, observeLag = () => {} } = options
  const namespaces = namespacesOf(entities)
  if (follows) {
    await followEntities(feed, entities)
    if (!(await ensureEventTriggers(feed)))
      log('DDL does not invalidate what it changes: only a superuser may create event triggers')
  }
  const names = namespaces.map(({ name }) => name)
  const cache = new Cache({ prefix: 'cache', store: new MemoryStore(), ...options, namespaces, log })
  const relay = new Relay({
    database: feed,
    cache,
    namespaces,
    intervalMs,
    inUseMs: trustLeaseMs,
    maxWaitMs,
    sleep,
    observeLag,
    log,
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

function createRead(database: Database): NonNullable<CachedEntitiesOptions<unknown>['read']> {
  return (_, read, signal) => (signal ? readCancellably(database, signal, read) : read(database))
}

const countsIntervalMs = 1_000
const auditedPageSize = 20
