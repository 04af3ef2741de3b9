import { setTimeout as sleep } from 'node:timers/promises'
import { type Cache, type CacheStore, createTokenSource } from 'cached-resolvers'
import { createChangeSource, Relay } from 'cached-resolvers/postgres'
import type { Logger } from 'pino'
import { type Config, isProduction } from '../config.js'
import { errorCodes } from '../graphql/errors.js'
import { Budgets, type SyncUsage, type Usage } from '../http/limits/budgets.js'
import { connect } from '../platform/database/connection.js'
import { instrumentQueries, type StatementObserver } from '../platform/database/instrument-queries.js'
import { Dashboard } from '../platform/metrics/dashboard.js'
import { ErrorMetrics } from '../platform/metrics/error-metrics.js'
import { Histogram, lagBounds } from '../platform/metrics/histogram.js'
import type { ProcessMetrics } from '../platform/metrics/process-metrics.js'
import { RequestMetrics } from '../platform/metrics/request-metrics.js'
import { StatementMetrics } from '../platform/metrics/statement-metrics.js'
import { SubscriptionMetrics } from '../platform/metrics/subscription-metrics.js'
import type { Tracing } from '../platform/tracing/tracing.js'
import { namespaces } from '../shop/entities.js'
import { cacheVersion, createCache, createStore, responseMarginMs } from './cache.js'
import { monotonic } from './clock.js'
import { connectionOptions, prepareDatabase, startDatabase } from './database.js'
import type { AppObservers } from './observers.js'
import type { ResourceStack } from './resource-stack.js'

interface StartOptions {
  config: Config
  logger: Logger
  resources: ResourceStack
  observers: AppObservers
  tracing: Tracing | undefined
}

export async function startStores({ config, logger, resources, observers, tracing }: StartOptions) {
  const databaseUrl = config.DATABASE_URL ?? (await startDatabase(config, logger, resources, observers.stopping))
  observers.stopping?.throwIfAborted()
  await prepareDatabase(config, logger, databaseUrl)
  observers.stopping?.throwIfAborted()
  const pool = {
    ...connectionOptions(config, databaseUrl),
    responseTimeoutMs: config.DATABASE_TIMEOUT_MS + responseMarginMs,
    ...(observers.onStatement && { onStatement: observers.onStatement }),
  }
  const connection = connect(pool)
  resources.push(() => connection.end({ timeout: 3 }))
  // If the database server crashes, asynchronous commits may be lost. Outbox rows are then delivered again, which is harmless.
  const feed = connect({ ...pool, maxConnections: feedConnections, asynchronousCommit: true })
  resources.push(() => feed.end({ timeout: 3 }))

  const { wrapStore = (store: CacheStore) => store, runsRelay = true } = observers
  const store = wrapStore(createStore(config, logger))
  const cache = createCache(config, logger, tracing?.traceStore(store) ?? store)
  const budgets = createBudgets(config, store)
  const metrics = createMetrics(config, cache, {
    backlogSeconds: () => relay.backlogSeconds,
    points: () => budgets?.reportCharged() ?? 0,
  })
  const observe = (observer: StatementObserver) => {
    const measured = instrumentQueries(connection, observer)
    return tracing ? instrumentQueries(measured, tracing.statements) : measured
  }
  const database = observe(metrics.statements.ofRequests)
  // The same connections, for the server's own statements, which are not counted as statements of requests.
  const maintenance = observe(metrics.statements)
  const observeLag = (seconds: number) => metrics.invalidationLag.observe(seconds)
  const log = (message: string) => logger.warn(message)
  const relay = new Relay({
    database: feed,
    cache,
    namespaces,
    intervalMs: relayIntervalMs,
    inUseMs: trustLeaseMs,
    maxWaitMs: config.CACHE_NEAR_MAX_STALENESS_MS,
    sleep,
    observeLag,
    log,
  })
  const names = namespaces.map(({ name }) => name)
  const source = createChangeSource({ database: feed, relay, namespaces: names, leaseMs: trustLeaseMs })
  await cache.connect(runsRelay ? source : { ...source, catchUp: async () => {} })
  resources.push(() => cache.close())
  const countsTimer = setInterval(() => void cache.flushCounts(), countsIntervalMs)
  resources.push(async () => clearInterval(countsTimer))
  return { database, maintenance, feed, store, cache, relay, metrics, budgets, tracing }
}

export type Stores = Awaited<ReturnType<typeof startStores>>

function createMetrics(config: Config, cache: Cache, others: Pick<ProcessMetrics, 'backlogSeconds' | 'points'>): ProcessMetrics {
  return {
    requests: new RequestMetrics({ maxOperations, now: monotonic }),
    errors: new ErrorMetrics(errorCodes),
    subscriptions: new SubscriptionMetrics(),
    statements: new StatementMetrics(config.DATABASE_POOL),
    invalidationLag: new Histogram(lagBounds),
    ...others,
    namespaces: namespaces.map(({ name }) => name),
    cache,
    maxFetches: config.CACHE_MAX_FETCHES,
    busyMs: () => performance.eventLoopUtilization().active,
  }
}

export function createDashboard(config: Config, logger: Logger, { metrics, store }: Stores): Dashboard {
  const keyOf = (series: string, slot: number) => `${config.CACHE_PREFIX}:${cacheVersion}:history:${series}:${slot}`
  const logged = {
    requests: config.LOG_REQUESTS !== 'none' && logger.isLevelEnabled('info'),
    errors: logger.isLevelEnabled('error'),
    warnings: logger.isLevelEnabled('warn'),
  }
  return new Dashboard({ metrics, store, keyOf, createToken: createTokenSource(), now: Date.now, maxOperations, logged })
}

/** Returns null if RATE_LIMIT is 0, that is, if usage is not limited. */
function createBudgets(config: Config, store: CacheStore): Budgets | null {
  const pointsPerMinute = config.RATE_LIMIT ?? (isProduction(config) ? productionRateLimit : 0)
  if (pointsPerMinute === 0) return null
  const add = store.addToBuckets?.bind(store)
  const additionOf = ({ client, points }: Usage) => ({ key: `${config.CACHE_PREFIX}:budgets:${client}`, amount: points })
  const syncUsage: SyncUsage | undefined = add && ((usages, replenishedPerMs) => add(usages.map(additionOf), replenishedPerMs))
  return new Budgets({ pointsPerMinute, maxClients: 50_000, maxCost: config.MAX_COST, syncUsage, now: monotonic })
}

/** Maximum number of operation names that have their own metrics */
const maxOperations = 50
const countsIntervalMs = 1_000
const productionRateLimit = 60_000
/**
 * Number of connections for the relay and live updates. They do not belong to the pool, so that mutations that wait for locks
 * cannot delay invalidation.
 */
const feedConnections = 2
/**
 * How long a process may serve entries of the cache without renewing its trust lease in the database (see ChangeSource.leaseMs).
 * This limits the staleness of values that do not come from the near store.
 */
const trustLeaseMs = 2_000
const relayIntervalMs = 250
