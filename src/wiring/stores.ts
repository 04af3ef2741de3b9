import { setTimeout as sleep } from 'node:timers/promises'
import { type Cache, type CacheStore, createTokenSource } from 'cached-resolvers'
import { createChangeSource, Relay } from 'cached-resolvers/postgres'
import type { Logger } from 'pino'
import { type Config, isProduction } from '../config.js'
import { errorCodes } from '../graphql/errors.js'
import { Budgets, type Share, type Use } from '../http/limits/budgets.js'
import { connect } from '../platform/database/connection.js'
import { watched } from '../platform/database/watched.js'
import { Dashboard } from '../platform/metrics/dashboard.js'
import { Distribution, lagBounds } from '../platform/metrics/distribution.js'
import { ErrorFigures } from '../platform/metrics/error-figures.js'
import type { Figures } from '../platform/metrics/figures.js'
import { RequestFigures } from '../platform/metrics/request-figures.js'
import { StatementFigures } from '../platform/metrics/statement-figures.js'
import { SubscriptionFigures } from '../platform/metrics/subscription-figures.js'
import type { Tracing } from '../platform/tracing/tracing.js'
import { namespaces } from '../shop/entities.js'
import { cacheVersion, createCache, createStore, silenceMarginMs } from './cache.js'
import { monotonic } from './clock.js'
import { connectionOptions, prepareDatabase, startDatabase } from './database.js'
import type { AppObservers } from './observers.js'
import type { Started } from './started.js'

interface Starting {
  config: Config
  logger: Logger
  started: Started
  observers: AppObservers
  tracing: Tracing | undefined
}

export async function startStores({ config, logger, started, observers, tracing }: Starting) {
  const databaseUrl = config.DATABASE_URL ?? (await startDatabase(config, logger, started))
  await prepareDatabase(config, logger, databaseUrl)
  const pool = {
    ...connectionOptions(config, databaseUrl),
    silenceMs: config.DATABASE_TIMEOUT_MS + silenceMarginMs,
    ...(observers.onStatement && { onStatement: observers.onStatement }),
  }
  const connection = connect(pool)
  started.push(() => connection.end({ timeout: 3 }))
  // Rows that come back after a crash of the server are delivered once more.
  const feed = connect({ ...pool, maxConnections: feedConnections, mayLoseCommits: true })
  started.push(() => feed.end({ timeout: 3 }))

  const { wrapStore = (its: CacheStore) => its } = observers
  const store = wrapStore(createStore(config, logger))
  const cache = createCache(config, logger, tracing?.ofStore(store) ?? store)
  const budgets = createBudgets(config, store)
  const figures = createFigures(config, cache, {
    backlogSeconds: () => relay.backlogSeconds,
    points: () => budgets?.charged ?? 0,
  })
  const counted = watched(connection, figures.statements)
  const database = tracing ? watched(counted, tracing.statements) : counted
  const observeLag = (seconds: number) => figures.invalidationLag.observe(seconds)
  const log = (message: string) => logger.warn(message)
  const relay = new Relay({
    ...{ database: feed, cache, namespaces, intervalMs: relayIntervalMs, inUseMs: trustLeaseMs },
    ...{ maxWaitMs: config.CACHE_NEAR_MAX_STALENESS_MS, sleep, observeLag, log },
  })
  const names = namespaces.map(({ name }) => name)
  const source = createChangeSource({ database: feed, relay, namespaces: names, leaseMs: trustLeaseMs })
  await cache.connect(observers.withoutRelay ? { ...source, catchUp: async () => {} } : source)
  started.push(() => cache.close())
  const countsTimer = setInterval(() => void cache.flushCounts(), countsIntervalMs)
  started.push(async () => clearInterval(countsTimer))
  return { database, feed, store, cache, relay, figures, budgets, tracing }
}

export type Stores = Awaited<ReturnType<typeof startStores>>

function createFigures(config: Config, cache: Cache, others: Pick<Figures, 'backlogSeconds' | 'points'>): Figures {
  return {
    requests: new RequestFigures({ maxOperations, now: monotonic }),
    errors: new ErrorFigures(errorCodes),
    subscriptions: new SubscriptionFigures(),
    statements: new StatementFigures(config.DATABASE_POOL),
    invalidationLag: new Distribution(lagBounds),
    ...others,
    namespaces: namespaces.map(({ name }) => name),
    cache,
    maxFetches: config.CACHE_MAX_FETCHES,
    busyMs: () => performance.eventLoopUtilization().active,
  }
}

export function createDashboard(config: Config, { figures, store }: Stores): Dashboard {
  const keyOf = (slotMs: number, slot: number) => `${config.CACHE_PREFIX}:${cacheVersion}:history:${slotMs}:${slot}`
  return new Dashboard({ figures, store, keyOf, createToken: createTokenSource(), now: Date.now })
}

/** null where clients may use as much as they like. */
function createBudgets(config: Config, store: CacheStore): Budgets | null {
  const pointsPerMinute = config.RATE_LIMIT ?? (isProduction(config) ? productionRateLimit : 0)
  if (pointsPerMinute === 0) return null
  const add = store.addToBuckets?.bind(store)
  const additionOf = ({ client, points }: Use) => ({ key: `${config.CACHE_PREFIX}:budgets:${client}`, amount: points })
  const share: Share | undefined = add && ((uses, forgivenPerMs) => add(uses.map(additionOf), forgivenPerMs))
  return new Budgets({ pointsPerMinute, maxClients: 50_000, maxCost: config.MAX_COST, share, now: monotonic })
}

/** Names of operations that the figures tell apart */
const maxOperations = 50
const countsIntervalMs = 1_000
const productionRateLimit = 60_000
/** For the relay and live changes: mutations that wait for a lock, with all connections of the pool, do not delay what others committed. */
const feedConnections = 2
/** So long a process may trust the cache without having told the database that it does: the bound for everything but the near store */
const trustLeaseMs = 2_000
const relayIntervalMs = 250
