import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  type AuditReport,
  audit,
  Cache,
  type CacheReader,
  type CacheStore,
  createCacheAdmin,
  createLoaderFactory,
  createTokenSource,
  FetchTimeoutError,
  MemoryStore,
  OverloadedError,
  pastCache,
  type Read,
  reasonOf,
  sharedNotes,
} from 'cached-resolvers'
import { createChangeSource, Relay, readCancellably } from 'cached-resolvers/postgres'
import { RedisStore, type RedisTarget } from 'cached-resolvers/redis'
import type { FastifyInstance } from 'fastify'
import type { GraphQLSchema } from 'graphql'
import { type Logger, pino } from 'pino'
import { type Authenticator, openToEverybody, TokenAuthenticator } from './auth/authenticator.js'
import { RemoteKeys } from './auth/remote-keys.js'
import { createTokenVerifier } from './auth/verify-token.js'
import { type Config, ConfigError } from './config.js'
import { connect, type Database, isOutage, type Queryable } from './database/connection.js'
import { loadDemoDataOnce } from './database/demo-data.js'
import { startEmbeddedPostgres } from './database/embedded-postgres.js'
import { ensureEventTriggers } from './database/event-triggers.js'
import { migrate } from './database/migrate.js'
import { sharesSessions } from './database/shared-sessions.js'
import { watched } from './database/watched.js'
import { defaultPageSize } from './graphql/connection.js'
import { errorCodes, type Fault } from './graphql/errors.js'
import { createSchema } from './graphql/schema.js'
import { Budgets, type Share, type Use } from './http/budgets.js'
import { ClientGoneError, DeadlineExceededError, Deadlines } from './http/deadlines.js'
import { Documents } from './http/documents.js'
import type { FiguresRoutes } from './http/figures-routes.js'
import { checkHealth, oneAtATime } from './http/health.js'
import { Hosts } from './http/host.js'
import { Load } from './http/load.js'
import { PersistedQueries, type SharedTexts } from './http/persisted-queries.js'
import { requestId } from './http/request-id.js'
import { onResponseClosed } from './http/response-closed.js'
import { createHttpServer, graphqlPath } from './http/server.js'
import { SlowReaders } from './http/slow-readers.js'
import { ManifestError, TrustedDocuments } from './http/trusted-documents.js'
import { Live } from './live/live.js'
import { createLogger } from './log.js'
import { Dashboard } from './metrics/dashboard.js'
import { Distribution, lagBounds } from './metrics/distribution.js'
import { ErrorFigures } from './metrics/error-figures.js'
import { contentType, Exposition, type Siblings } from './metrics/exposition.js'
import { families } from './metrics/families.js'
import type { Figures } from './metrics/figures.js'
import { RequestFigures } from './metrics/request-figures.js'
import { StatementFigures } from './metrics/statement-figures.js'
import { SubscriptionFigures } from './metrics/subscription-figures.js'
import { RequestContext, type Shared } from './request-context.js'
import { createRedactor, secretsOf } from './secrets.js'
import { entities, namespaces } from './shop/entities.js'
import { idKind } from './shop/ids.js'
import { startExpiringKeys } from './shop/orders/idempotency-keys.js'
import type { Tracing } from './tracing/tracing.js'

export interface App {
  /** Of the GraphQL endpoint */
  url: string
  stop(): Promise<void>
}

export interface AppObservers {
  /** Sees the text of every SQL statement. */
  onStatement?: (text: string) => void
  /** Puts something between the cache and its store, which takes away what the store promises. */
  wrapStore?: (store: CacheStore) => CacheStore
  /** Without one, nothing but the mutation itself carries a change to the cache. */
  withoutRelay?: boolean
  /** The other processes behind the same port; null, as when left out, for none */
  siblings?: Siblings | null
}

/** Starts everything that the configuration asks for, in order; stop() undoes it in reverse. A start that fails leaves nothing running. */
export async function startApp(config: Config, observers: AppObservers = {}): Promise<App> {
  const started = new Started()
  try {
    const schema = createSchema()
    const tracing = await startTracing(config, started)
    const logger = createLogger(config, tracing && (() => tracing.logFields()))
    const trusted = await readTrustedDocuments(config, schema)
    const stores = await startStores({ config, logger, started, observers, tracing })
    const { database, cache, relay } = stores
    const dashboard = createDashboard(config, stores)
    dashboard.start()
    started.push(() => dashboard.stop())
    if (!observers.withoutRelay) await relay.start()
    started.push(() => relay.stop())
    const expiringKeys = startExpiringKeys(stores.feed, (message) => logger.warn(message))
    started.push(() => expiringKeys.stop())
    if (config.AUDIT_INTERVAL_MS > 0) startAudits(config, logger, started, cache, database)

    const leaving = new AbortController()
    const live = await startLive(logger, started, stores)
    const deadlines = new Deadlines({ timeoutMs: config.REQUEST_TIMEOUT_MS, now: monotonic })
    deadlines.start()
    started.push(async () => deadlines.stop())
    const load = createLoad(config)
    load.start()
    started.push(async () => load.stop())
    const exposition = new Exposition(families(stores.figures), observers.siblings ?? null)
    const documents = createDocuments(config, trusted, stores.store)
    const { budgets } = stores
    const budgetsTimer = setInterval(() => void budgets?.tell(), budgetsIntervalMs)
    started.push(async () => clearInterval(budgetsTimer))
    const server = await createServer({
      ...{ config, logger, schema, documents, stores, live, deadlines, load, budgets, leaving: leaving.signal },
      routes: {
        readMetrics: () => exposition.text(),
        metricsContentType: contentType,
        readDashboard: (after) => dashboard.read(after),
      },
    })
    started.push(() => closeServer(server))
    const address = await server.listen({ port: config.PORT, host: config.HOST }).catch((error) => {
      throw new ConfigError([`HOST and PORT name an address that cannot be listened on: ${messageOf(error)}`])
    })
    started.push(() => leave(leaving, config.SHUTDOWN_DELAY_MS))
    return { url: `${address}/graphql`, stop: () => started.stop() }
  } catch (error) {
    // The first fault is the one to tell of.
    await started.stop().catch(() => undefined)
    throw error
  }
}

/** One audit, without serving anything. */
export async function runAudit(config: Config, entries: number): Promise<AuditReport> {
  const started = new Started()
  try {
    const logger = pino({ level: 'silent' })
    const { database, cache } = await startStores({ config, logger, started, observers: {}, tracing: undefined })
    if (!cache.trusted) throw new Error(`The cache cannot be used: ${cache.distrustReason}`)
    return await audit(auditOptions(cache, database), entries)
  } finally {
    await started.stop()
  }
}

/** Traces go to a collector where there is one. Without, nothing of what makes them is even loaded. */
async function startTracing(config: Config, started: Started): Promise<Tracing | undefined> {
  const endpoint = config.OTEL_EXPORTER_OTLP_ENDPOINT
  if (endpoint === undefined) return undefined
  const { Tracing: Loaded } = await import('./tracing/tracing.js')
  const logger = createLogger(config)
  const tracing = new Loaded({
    ...{ endpoint, path: graphqlPath, requestIdOf: requestId, onResponseClosed },
    headers: config.OTEL_EXPORTER_OTLP_HEADERS ?? {},
    serviceName: config.OTEL_SERVICE_NAME,
    sampler: config.OTEL_TRACES_SAMPLER,
    samplerRatio: config.OTEL_TRACES_SAMPLER_ARG,
    log: (message) => logger.warn(message),
  })
  started.push(() => tracing.stop())
  return tracing
}

interface Starting {
  config: Config
  logger: Logger
  started: Started
  observers: AppObservers
  tracing: Tracing | undefined
}

async function startStores({ config, logger, started, observers, tracing }: Starting) {
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

type Stores = Awaited<ReturnType<typeof startStores>>

/** On a connection of its own: these statements may take as long as they need. */
async function prepareDatabase(config: Config, logger: Logger, url: string): Promise<void> {
  const database = connect({ ...connectionOptions(config, url), maxConnections: 2 })
  try {
    if (config.DATABASE_URL !== undefined) await refuseSharedSessions(database)
    await migrate(database)
    if (!(await ensureEventTriggers(database))) logger.warn(ddlUnseen)
    if (config.DEMO_DATA && (await loadDemoDataOnce(database))) logger.info('demo data loaded')
  } finally {
    await database.end({ timeout: 3 })
  }
}

/** Also the first use of the URL: what is wrong with it shows here. */
async function refuseSharedSessions(database: Database): Promise<void> {
  const isShared = await sharesSessions(database).catch((error) => {
    throw new ConfigError([`DATABASE_URL names a database that cannot be used: ${messageOf(error)}`])
  })
  if (isShared) throw new ConfigError([sharedSessions])
}

function connectionOptions(config: Config, url: string) {
  return {
    url,
    maxConnections: config.DATABASE_POOL,
    statementTimeoutMs: config.DATABASE_TIMEOUT_MS,
    connectTimeoutMs: config.DATABASE_TIMEOUT_MS,
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** A few entries now and then; what is wrong is repaired, counted and logged, and now and then the share of what was right. */
function startAudits(config: Config, logger: Logger, started: Started, cache: Cache, database: Database): void {
  const options = auditOptions(cache, database)
  let running = Promise.resolve()
  let busy = false
  let sums = { audits: 0, audited: 0, wrong: 0 }
  const timer = setInterval(() => {
    if (busy || !cache.trusted) return
    busy = true
    running = audit(options, entriesPerAudit)
      .then(
        ({ audited, wrong }) => {
          for (const its of wrong) logger.error(its, 'an entry of the cache differed from the database')
          sums = { audits: sums.audits + 1, audited: sums.audited + audited, wrong: sums.wrong + wrong.length }
          if (sums.audits % auditsPerReport === 0) logger.info(sums, 'audited entries since the start, and how many were wrong')
        },
        (error) => logger.warn(`audit: ${messageOf(error)}`),
      )
      .finally(() => {
        busy = false
      })
  }, config.AUDIT_INTERVAL_MS)
  started.push(async () => {
    clearInterval(timer)
    await running
  })
}

function auditOptions(cache: Cache, database: Database) {
  return { cache, entities, read: createRead(database), pageSize: defaultPageSize, boundMs: auditBoundMs, sleep }
}

/** On the pool; statements end with the signal of who waits for them. */
function createRead(database: Database): Read<Queryable> {
  return (_, read, signal) => (signal ? readCancellably(database, signal, read) : read(database))
}

async function startLive(logger: Logger, started: Started, { feed, relay }: Stores): Promise<Live> {
  const live = new Live({
    ...{ database: feed, intervalMs: liveIntervalMs, keptMs: liveKeptMs, maxWaiting: liveMaxWaiting },
    invalidate: (outdated) => relay.invalidate(outdated),
    log: (message) => logger.warn(message),
  })
  await live.start()
  started.push(() => live.stop())
  return live
}

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

function createDashboard(config: Config, { figures, store }: Stores): Dashboard {
  const keyOf = (slotMs: number, slot: number) => `${config.CACHE_PREFIX}:${cacheVersion}:history:${slotMs}:${slot}`
  return new Dashboard({ figures, store, keyOf, createToken: createTokenSource(), now: Date.now })
}

/** Throws ConfigError where the file is not there, or not what it should be. */
async function readTrustedDocuments(
  { TRUSTED_DOCUMENTS: file }: Config,
  schema: GraphQLSchema,
): Promise<TrustedDocuments | null> {
  if (file === undefined) return null
  try {
    return TrustedDocuments.of(new TextDecoder('utf-8', { fatal: true }).decode(await readFile(file)), schema)
  } catch (error) {
    if (error instanceof ManifestError) throw new ConfigError([`TRUSTED_DOCUMENTS names ${file}, which ${error.message}`])
    if (!(error instanceof Error && 'code' in error)) throw error
    throw new ConfigError([`TRUSTED_DOCUMENTS names a file that cannot be read: ${error.message}`])
  }
}

function createDocuments(config: Config, trusted: TrustedDocuments | null, store: CacheStore): Documents {
  const keyOf = (hash: string) => `${config.CACHE_PREFIX}:apq:${hash}`
  const shared: SharedTexts = {
    read: async (hash) => (await store.readMany([keyOf(hash)]))[0] ?? null,
    async write(hash, value, ttlMs) {
      await store.swapMany([{ key: keyOf(hash), when: { state: 'unleased' }, value, ttlMs }])
    },
  }
  const persisted = new PersistedQueries({ shared, now: monotonic })
  return new Documents({ persisted, trusted, onlyTrusted: config.TRUSTED_DOCUMENTS_ONLY })
}

interface Served {
  config: Config
  logger: Logger
  schema: GraphQLSchema
  documents: Documents
  stores: Stores
  live: Live
  deadlines: Deadlines
  load: Load
  budgets: Budgets | null
  leaving: AbortSignal
  routes: FiguresRoutes
}

function createServer(served: Served): Promise<FastifyInstance> {
  const { config, logger, schema, documents, stores, live, deadlines, load, budgets, leaving, routes } = served
  const { database, cache, relay, figures, tracing } = stores
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

function createAuthenticator(config: Config, logger: Logger): Authenticator {
  const keys = tokenKeys(config, logger)
  if (!keys) {
    logger.warn(
      'OPEN TO EVERYBODY: whoever reaches this server is an administrator. Set AUTH_JWT_SECRET or AUTH_JWKS_URL to change that.',
    )
    return openToEverybody
  }
  const { AUTH_ISSUER: issuer, AUTH_AUDIENCE: audience } = config
  const isUserId = (text: string) => idKind(text) === 'user'
  const verify = createTokenVerifier({ keys, issuer, audience, isUserId, now: Date.now })
  return new TokenAuthenticator({ verify, maxRemembered: 10_000, rememberMs: 60_000, now: Date.now })
}

function isOpen({ AUTH_JWT_SECRET, AUTH_JWKS_URL }: Config): boolean {
  return AUTH_JWT_SECRET === undefined && AUTH_JWKS_URL === undefined
}

function tokenKeys({ AUTH_JWT_SECRET: secret, AUTH_JWKS_URL: url }: Config, logger: Logger) {
  if (secret !== undefined) return { state: 'secret' as const, secret }
  if (url === undefined) return null
  const log = (message: string) => logger.warn(message)
  const limits = { timeoutMs: 3_000, cooldownMs: 30_000, maxAgeMs: 300_000, retryMs: 30_000 }
  return { state: 'public' as const, find: new RemoteKeys({ url, ...limits, now: Date.now, log }).find }
}

/** null where clients may use as much as they like. */
function createBudgets(config: Config, store: CacheStore): Budgets | null {
  const pointsPerMinute = config.RATE_LIMIT ?? (isProduction(config) ? productionRateLimit : 0)
  if (pointsPerMinute === 0) return null
  const add = store.addToBuckets?.bind(store)
  const additionOf = ({ client, points }: Use) => ({ key: `${config.CACHE_PREFIX}:budgets:${client}`, amount: points })
  const share: Share | undefined = add && ((uses, forgivenPerMs) => add(uses.map(additionOf), forgivenPerMs))
  return new Budgets({ pointsPerMinute, maxClients: 50_000, maxCost: config.MAX_COST, share, now: () => performance.now() })
}

function isProduction({ NODE_ENV }: Config): boolean {
  return NODE_ENV === 'production'
}

async function startDatabase(config: Config, logger: Logger, started: Started): Promise<string> {
  const log = (message: string) => logger.info(message)
  const postgres = await startEmbeddedPostgres({ dataDirectory: config.DATA_DIR, log }).catch((error) => {
    if (!('code' in error)) throw error
    throw new ConfigError([`DATA_DIR names a folder that cannot be used: ${messageOf(error)}`])
  })
  postgres.keepRunning((message) => logger.warn(message))
  started.push(() => postgres.stop())
  return postgres.url
}

function createCache(config: Config, logger: Logger, store: CacheStore): Cache {
  const near = { maxBytes: config.CACHE_NEAR_MB * megabyte, maxStalenessMs: config.CACHE_NEAR_MAX_STALENESS_MS }
  return new Cache({
    store,
    prefix: config.CACHE_PREFIX,
    version: cacheVersion,
    namespaces,
    near: config.CACHE_NEAR_MB > 0 ? near : null,
    leaseMs: 1_000,
    leaseWaitMs: 1_000,
    fetches: {
      maxRunning: config.CACHE_MAX_FETCHES,
      // Its statement may have to wait for a connection, as long as another statement may take.
      maxRunMs: 2 * config.DATABASE_TIMEOUT_MS + silenceMarginMs,
      maxWaiting: config.CACHE_MAX_WAITING_FETCHES,
      maxWaitMs: config.DATABASE_TIMEOUT_MS / 5,
    },
    createToken: createTokenSource(),
    now: Date.now,
    sleep,
    random: Math.random,
    log: (message) => logger.warn(message),
  })
}

function createStore(config: Config, logger: Logger): CacheStore {
  const target = redisTarget(config)
  if (!target) return new MemoryStore({ maxBytes: config.CACHE_MEMORY_MB * megabyte, now: () => performance.now() })
  return new RedisStore({
    target,
    connections: config.REDIS_CONNECTIONS,
    channel: `${config.CACHE_PREFIX}:removals`,
    commandTimeoutMs: config.REDIS_TIMEOUT_MS,
    healthIntervalMs: config.REDIS_HEALTH_INTERVAL_MS,
    log: (message, level) => logger[level](message),
  })
}

function redisTarget(config: Config): RedisTarget | null {
  const { REDIS_URL: url, REDIS_CLUSTER_NODES: nodes, REDIS_SENTINEL_NODES: sentinels } = config
  if (url !== undefined) return { kind: 'server', url }
  if (nodes !== undefined) return { kind: 'cluster', urls: nodes }
  if (sentinels !== undefined) return { kind: 'sentinel', urls: sentinels, masterName: config.REDIS_SENTINEL_MASTER }
  return null
}

/** Says that it will go, and serves on for as long as whoever sends requests here may need to hear of it. */
async function leave(leaving: AbortController, delayMs: number): Promise<void> {
  leaving.abort()
  await sleep(delayMs)
}

/** Requests in flight get their answer; who is not done by then is cut off. */
async function closeServer(server: FastifyInstance): Promise<void> {
  const cutOff = setTimeout(() => server.server.closeAllConnections(), drainMs)
  await server.close()
  clearTimeout(cutOff)
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

function createLoad({ MAX_IN_FLIGHT: maxInFlight, MAX_EVENT_LOOP_DELAY_MS: maxDelayMs }: Config): Load {
  return new Load({ maxInFlight, maxDelayMs, burstMs: delaysOfBurst * maxDelayMs, now: monotonic })
}

function monotonic(): number {
  return performance.now()
}

async function timed(work: () => PromiseLike<unknown>): Promise<number> {
  const startedAt = performance.now()
  await work()
  return performance.now() - startedAt
}

/** What runs, in the order of its start. */
class Started {
  private readonly stops: (() => Promise<unknown>)[] = []
  private stopping: Promise<void> | undefined

  push(stop: () => Promise<unknown>): void {
    this.stops.push(stop)
  }

  /** All are stopped, the last first, even where one fails. Called twice, it is done once. */
  stop(): Promise<void> {
    this.stopping ??= this.stopAll()
    return this.stopping
  }

  private async stopAll(): Promise<void> {
    const failures: unknown[] = []
    for (const stop of this.stops.reverse()) await stop().catch((error) => failures.push(error))
    if (failures.length > 0) throw new AggregateError(failures, 'Not everything stopped in order')
  }
}

/** What the server may need to end a statement that took too long, and to say so */
const silenceMarginMs = 1_000
/** Names of operations that the figures tell apart */
const maxOperations = 50
const cacheVersion = 'v1'
const countsIntervalMs = 1_000
const budgetsIntervalMs = 1_000
const productionRateLimit = 60_000
const ddlUnseen =
  'DDL on the tables of the shop does not invalidate what it changes, since the user of DATABASE_URL may not create event triggers: see docs/operations.md'
const sharedSessions =
  "DATABASE_URL leads to a pooler that shares sessions between connections, as PgBouncer does in transaction mode; locks, notifications and timeouts need sessions of their own: use its session mode, or the database's own address"
/** For the relay and live changes: mutations that wait for a lock, with all connections of the pool, do not delay what others committed. */
const feedConnections = 2
/** So long a process may trust the cache without having told the database that it does: the bound for everything but the near store */
const trustLeaseMs = 2_000
const relayIntervalMs = 250
const liveIntervalMs = 1_000
/** A process that cannot read for longer tells its subscribers so. */
const liveKeptMs = 300_000
const liveMaxWaiting = 1_000
const healthDeadlineMs = 1_000
const drainMs = 5_000
const entriesPerAudit = 20
/** An hour's, unless the interval is set */
const auditsPerReport = 360
/** Twice the longest that a change may take to reach the cache, see the README */
const auditBoundMs = 2_000
const megabyte = 1024 * 1024
/** 3 s, unless the delay is set */
const delaysOfBurst = 6
/** Of answers that clients do not read */
const maxUnsentBytes = 64 * megabyte
