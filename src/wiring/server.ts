import {
  bypassCache,
  type Cache,
  type CacheReader,
  createCacheAdmin,
  createLoaderFactory,
  FetchTimeoutError,
  OverloadedError,
  reasonOf,
  sharedValueMemo,
} from 'cached-resolvers'
import { createRead } from 'cached-resolvers/postgres'
import type { FastifyInstance } from 'fastify'
import type { GraphQLSchema } from 'graphql'
import type { Logger } from 'pino'
import { allowsIntrospection, type Config, isProduction } from '../config.js'
import { defaultPageSize } from '../graphql/connection.js'
import type { OperationalError } from '../graphql/errors.js'
import { SlowReaders } from '../http/connections/slow-readers.js'
import type { Documents } from '../http/documents/documents.js'
import { Hosts } from '../http/headers/host.js'
import { Origins } from '../http/headers/origin.js'
import { checkHealth, coalesceCalls } from '../http/health/health.js'
import type { MetricsRoutes } from '../http/health/metrics-routes.js'
import { RefusedOrigins } from '../http/observing/refused-origins.js'
import { ClientDisconnectedError, DeadlineExceededError, type Deadlines } from '../http/overload/deadlines.js'
import { LoadShedder } from '../http/overload/load-shedder.js'
import { createHttpServer } from '../http/server.js'
import { isOutage, type Queryable } from '../platform/database/connection.js'
import type { LiveUpdates } from '../platform/live/live-updates.js'
import { createRedactor, secretsOf } from '../platform/log/secrets.js'
import { entities } from '../shop/entities.js'
import { createAuthenticator, hasAuthentication } from './authenticator.js'
import { megabyte } from './cache.js'
import { monotonic } from './clock.js'
import { liveMaxQueued } from './live.js'
import { RequestContext, type SharedDependencies } from './request-context.js'
import type { Stores } from './stores.js'

interface ServerDependencies {
  config: Config
  logger: Logger
  schema: GraphQLSchema
  documents: Documents
  stores: Stores
  live: LiveUpdates
  deadlines: Deadlines
  loadShedder: LoadShedder
  drainSignal: AbortSignal
  routes: Omit<MetricsRoutes, 'inspectCache'>
}

export function createServer(dependencies: ServerDependencies): Promise<FastifyInstance> {
  const { config, logger, schema, documents, stores, live, deadlines, loadShedder, drainSignal, routes } = dependencies
  const { database, maintenance, cache, relay, metrics, budgets, tracing } = stores
  const read = createRead(database)
  const cacheAdmin = createCacheAdmin(cache, entities, read, defaultPageSize)
  const traced = (reader: CacheReader) => tracing?.traceReads(reader) ?? reader
  const createLoaders = createLoaderFactory(traced(cache), entities, read)
  const shared: SharedDependencies = {
    database,
    deadlines,
    cacheAdmin,
    live,
    createLoaders,
    createLoadersFor: (flags, cacheReport, cancellation) => {
      const reader = traced(flags.bypassCache ? bypassCache(cache) : cache)
      const create = createLoaderFactory(
        cacheReport?.wrapReader(reader) ?? reader,
        entities,
        cacheReport?.wrapRead<Queryable>(read) ?? read,
      )
      return create(cancellation)
    },
    deliver: (changes) => relay.deliverOwn(changes),
  }
  const startedAt = Date.now()
  const redact = createRedactor(secretsOf(config))
  return createHttpServer({
    schema,
    documents,
    createContext: (request) => new RequestContext(shared, request),
    memo: sharedValueMemo,
    authenticator: createAuthenticator(config, logger),
    hosts: new Hosts(hasAuthentication(config), config.CORS_ORIGINS),
    checkHealth: coalesceCalls(() =>
      checkHealth({
        pingDatabase: () => timed(() => maintenance`select 1`),
        pingCache: () => pingTrusted(cache),
        cacheBackend: cache.backend,
        deadlineMs: healthDeadlineMs,
        describe: (error) => redact(reasonOf(error)),
        startedAt,
        now: Date.now,
      }),
    ),
    drainSignal,
    describeOperationalError,
    requests: metrics.requests,
    errors: metrics.errors,
    subscriptions: metrics.subscriptions,
    metricsRoutes: { ...routes, inspectCache: cacheAdmin.inspect },
    origins: new Origins({
      listed: config.CORS_ORIGINS,
      allowsLoopback: !isProduction(config),
      hasAuthentication: hasAuthentication(config),
    }),
    refusedOrigins: new RefusedOrigins({ listed: config.CORS_ORIGINS, logger, now: monotonic }),
    maxLiveConnections: config.LIVE_MAX_CONNECTIONS,
    maxLiveConnectionsPerAddress: config.LIVE_MAX_CONNECTIONS_PER_ADDRESS,
    maxQueuedEvents: liveMaxQueued,
    heartbeatMs: config.LIVE_HEARTBEAT_MS,
    loadShedder,
    slowReaders: new SlowReaders({ maxUnsentMs: config.SEND_TIMEOUT_MS, maxUnsentBytes, now: monotonic }),
    receiveTimeoutMs: config.RECEIVE_TIMEOUT_MS,
    maxOpenConnections: config.MAX_CONNECTIONS,
    limits: { maxCost: config.MAX_COST, budgets, trustedProxies: config.TRUSTED_PROXIES },
    introspection: allowsIntrospection(config),
    logger,
    requestLog: { mode: config.LOG_REQUESTS, slowMs: config.LOG_SLOW_REQUEST_MS },
    tracing,
  })
}

/** Describes an operational error to the client. Returns null for any other error. */
function describeOperationalError(error: unknown): OperationalError | null {
  if (error instanceof OverloadedError)
    return { code: 'OVERLOADED', message: `${error.message}, try again in a moment`, status: 503 }
  if (error instanceof DeadlineExceededError)
    return { code: 'DEADLINE_EXCEEDED', message: `${error.message}, try again in a moment` }
  // The client has disconnected and does not read the response. The error therefore needs no code of its own, and is logged at
  // debug level only.
  if (error instanceof ClientDisconnectedError) return { code: 'DEADLINE_EXCEEDED', message: error.message, level: 'debug' }
  if (isOutage(error) || error instanceof FetchTimeoutError)
    return { code: 'SERVICE_UNAVAILABLE', message: 'The database cannot be reached, try again later' }
  return null
}

/** Returns the latency of the cache. Throws if the cache is unreachable, or reachable but not trusted yet. */
async function pingTrusted(cache: Cache): Promise<number> {
  const latencyMs = await cache.ping()
  if (!cache.trusted) throw new Error(cache.distrustReason)
  return latencyMs
}

export function createLoadShedder({ MAX_IN_FLIGHT: maxInFlight, MAX_EVENT_LOOP_DELAY_MS: maxDelayMs }: Config): LoadShedder {
  return new LoadShedder({ maxInFlight, maxDelayMs, burstMs: burstInMaxDelays * maxDelayMs, now: monotonic })
}

async function timed(work: () => PromiseLike<unknown>): Promise<number> {
  const startedAt = performance.now()
  await work()
  return performance.now() - startedAt
}

const healthDeadlineMs = 1_000
/**
 * How long delays may go on before requests are refused, as a multiple of MAX_EVENT_LOOP_DELAY_MS. By default, a burst of delays
 * may last 3 s.
 */
const burstInMaxDelays = 6
/** Limits the memory of responses that slow clients have not read yet. */
const maxUnsentBytes = 64 * megabyte
