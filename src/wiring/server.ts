import {
  type Cache,
  type CacheReader,
  createCacheAdmin,
  createLoaderFactory,
  FetchTimeoutError,
  OverloadedError,
  pastCache,
  reasonOf,
  sharedNotes,
} from 'cached-resolvers'
import { createRead } from 'cached-resolvers/postgres'
import type { FastifyInstance } from 'fastify'
import type { GraphQLSchema } from 'graphql'
import type { Logger } from 'pino'
import { type Config, isProduction } from '../config.js'
import { defaultPageSize } from '../graphql/connection.js'
import type { Fault } from '../graphql/errors.js'
import { SlowReaders } from '../http/connections/slow-readers.js'
import type { Documents } from '../http/documents/documents.js'
import { Hosts } from '../http/headers/host.js'
import type { FiguresRoutes } from '../http/health/figures-routes.js'
import { checkHealth, oneAtATime } from '../http/health/health.js'
import { ClientGoneError, DeadlineExceededError, type Deadlines } from '../http/overload/deadlines.js'
import { Load } from '../http/overload/load.js'
import { createHttpServer } from '../http/server.js'
import { isOutage, type Queryable } from '../platform/database/connection.js'
import type { Live } from '../platform/live/live.js'
import { createRedactor, secretsOf } from '../platform/log/secrets.js'
import { entities } from '../shop/entities.js'
import { createAuthenticator, isOpen } from './authenticator.js'
import { megabyte } from './cache.js'
import { monotonic } from './clock.js'
import { liveMaxWaiting } from './live.js'
import { RequestContext, type Shared } from './request-context.js'
import type { Stores } from './stores.js'

interface Served {
  config: Config
  logger: Logger
  schema: GraphQLSchema
  documents: Documents
  stores: Stores
  live: Live
  deadlines: Deadlines
  load: Load
  leaving: AbortSignal
  routes: FiguresRoutes
}

export function createServer(served: Served): Promise<FastifyInstance> {
  const { config, logger, schema, documents, stores, live, deadlines, load, leaving, routes } = served
  const { database, cache, relay, figures, budgets, tracing } = stores
  const read = createRead(database)
  const cacheAdmin = createCacheAdmin(cache, entities, read, defaultPageSize)
  const traced = (reader: CacheReader) => tracing?.ofReads(reader) ?? reader
  const createLoaders = createLoaderFactory(traced(cache), entities, read)
  const shared: Shared = {
    ...{ database, deadlines, cacheAdmin, live, createLoaders },
    createLoadersFor: ({ pastCache: isPast }, origins, caller) => {
      const reader = traced(isPast ? pastCache(cache) : cache)
      const create = createLoaderFactory(
        origins?.ofReads(reader) ?? reader,
        entities,
        origins?.ofStatements<Queryable>(read) ?? read,
      )
      return create(caller)
    },
    deliver: (changes) => relay.deliverOwn(changes),
  }
  const startedAt = Date.now()
  const redact = createRedactor(secretsOf(config))
  return createHttpServer({
    schema,
    documents,
    createContext: (asking) => new RequestContext(shared, asking),
    notes: sharedNotes,
    authenticator: createAuthenticator(config, logger),
    hosts: new Hosts(isOpen(config), config.CORS_ORIGINS),
    checkHealth: oneAtATime(() =>
      checkHealth({
        pingDatabase: () => timed(() => database`select 1`),
        pingCache: () => pingTrusted(cache),
        cacheBackend: cache.backend,
        deadlineMs: healthDeadlineMs,
        describe: (error) => redact(reasonOf(error)),
        startedAt,
        now: Date.now,
      }),
    ),
    leaving,
    describeFault,
    requests: figures.requests,
    errors: figures.errors,
    subscriptions: figures.subscriptions,
    figures: routes,
    corsOrigins: config.CORS_ORIGINS,
    maxConnections: config.LIVE_MAX_CONNECTIONS,
    maxConnectionsPerAddress: config.LIVE_MAX_CONNECTIONS_PER_ADDRESS,
    maxWaitingEvents: liveMaxWaiting,
    heartbeatMs: config.LIVE_HEARTBEAT_MS,
    load,
    slowReaders: new SlowReaders({ maxUnsentMs: config.SEND_TIMEOUT_MS, maxUnsentBytes, now: monotonic }),
    receiveTimeoutMs: config.RECEIVE_TIMEOUT_MS,
    maxOpenConnections: config.MAX_CONNECTIONS,
    limits: { maxCost: config.MAX_COST, budgets, trustedProxies: config.TRUSTED_PROXIES },
    tellsSchema: config.INTROSPECTION ?? !isProduction(config),
    logger,
    requestLog: { logged: config.LOG_REQUESTS, slowMs: config.LOG_SLOW_REQUEST_MS },
    tracing,
  })
}

/** Faults that are no bugs, for the client to know of. */
function describeFault(error: unknown): Fault | null {
  if (error instanceof OverloadedError)
    return { code: 'OVERLOADED', message: `${error.message}, try again in a moment`, status: 503 }
  if (error instanceof DeadlineExceededError)
    return { code: 'DEADLINE_EXCEEDED', message: `${error.message}, try again in a moment` }
  // Nobody reads it.
  if (error instanceof ClientGoneError) return { code: 'DEADLINE_EXCEEDED', message: error.message, level: 'debug' }
  if (isOutage(error) || error instanceof FetchTimeoutError)
    return { code: 'SERVICE_UNAVAILABLE', message: 'The database cannot be reached, try again later' }
  return null
}

/** A cache that is there but not believed yet does not answer either. */
async function pingTrusted(cache: Cache): Promise<number> {
  const latencyMs = await cache.ping()
  if (!cache.trusted) throw new Error(cache.distrustReason)
  return latencyMs
}

export function createLoad({ MAX_IN_FLIGHT: maxInFlight, MAX_EVENT_LOOP_DELAY_MS: maxDelayMs }: Config): Load {
  return new Load({ maxInFlight, maxDelayMs, burstMs: delaysOfBurst * maxDelayMs, now: monotonic })
}

async function timed(work: () => PromiseLike<unknown>): Promise<number> {
  const startedAt = performance.now()
  await work()
  return performance.now() - startedAt
}

const healthDeadlineMs = 1_000
/** 3 s, unless the delay is set */
const delaysOfBurst = 6
/** Of answers that clients do not read */
const maxUnsentBytes = 64 * megabyte
