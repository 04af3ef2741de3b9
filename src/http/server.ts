import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import { Readable } from 'node:stream'
import { ApolloServer } from '@apollo/server'
import {
  ApolloServerPluginCacheControlDisabled,
  ApolloServerPluginLandingPageDisabled,
  ApolloServerPluginUsageReportingDisabled,
} from '@apollo/server/plugin/disabled'
import cors from '@fastify/cors'
import { CompiledQueries, type SharedValueMemo } from 'cached-resolvers/compiled-queries'
import fastify, {
  type FastifyBaseLogger,
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  LogController,
} from 'fastify'
import type { GraphQLSchema } from 'graphql'
import type { Context } from '../graphql/context.js'
import { parseOptions, validationOptions, validationRules } from '../graphql/document-limits.js'
import { DocumentStore } from '../graphql/document-store.js'
import { createErrorFormatter, type OperationalError } from '../graphql/errors.js'
import type { Authenticator } from '../platform/auth/authenticator.js'
import type { Viewer } from '../platform/auth/viewer.js'
import type { ErrorMetrics } from '../platform/metrics/error-metrics.js'
import type { RequestMetrics } from '../platform/metrics/request-metrics.js'
import type { SubscriptionMetrics } from '../platform/metrics/subscription-metrics.js'
import type { Tracing } from '../platform/tracing/tracing.js'
import { addAuthentication } from './authentication.js'
import { OpenConnections } from './connections/open-connections.js'
import { PipelinedRequests } from './connections/pipelined-requests.js'
import type { SlowReaders } from './connections/slow-readers.js'
import { endUnusedConnections } from './connections/unused-connections.js'
import type { Documents } from './documents/documents.js'
import { compiledQueriesPlugin } from './fast-path/compiled-queries-plugin.js'
import { FastPathListener } from './fast-path/fast-path-listener.js'
import { createGraphqlHandler } from './graphql-handler.js'
import { cacheControl, noStore } from './headers/cache-control.js'
import { Compression } from './headers/compression.js'
import { isEncodedUrl, parseJsonBodies, readJsonBodies } from './headers/encoding.js'
import { addEtag } from './headers/etag.js'
import { type Hosts, hostNotAllowed, isHost } from './headers/host.js'
import type { Origins } from './headers/origin.js'
import { noFlags, requestFlagsOf } from './headers/request-flags.js'
import { requestId } from './headers/request-id.js'
import { pageCsp, securityHeaders } from './headers/security-headers.js'
import type { HealthReport } from './health/health.js'
import { probePaths, registerHealth } from './health/health-routes.js'
import { type MetricsRoutes, registerMetrics } from './health/metrics-routes.js'
import type { Budgets } from './limits/budgets.js'
import { clientOf, networkOf } from './limits/client.js'
import { ConnectionRate } from './limits/connection-rate.js'
import { Costs } from './limits/costs.js'
import { type CostLimits, limitCost } from './limits/limit-cost.js'
import { chargeReading, limitRate } from './limits/limit-rate.js'
import { addCacheReport } from './observing/add-cache-report.js'
import { logErrors } from './observing/log-errors.js'
import type { RefusedOrigins } from './observing/refused-origins.js'
import { RequestLog, type RequestLogOptions } from './observing/request-log.js'
import { RequestObserver } from './observing/request-observer.js'
import { traceOperations } from './observing/trace-operations.js'
import { AdmissionController, addAdmissionControl } from './overload/admission-control.js'
import { alwaysOpen } from './overload/deadlines.js'
import type { LoadShedder } from './overload/load-shedder.js'
import { registerPages } from './pages/pages.js'
import { sandboxPage } from './pages/sandbox.js'
import {
  createClientErrorHandler,
  createExpectationHandler,
  createRequestRefuser,
  requestError,
  withRequestId,
} from './request-error.js'
import type { RequestInfo } from './request-info.js'
import { addEventStream, type EventStreamOptions } from './subscriptions/event-stream.js'
import { LiveConnections } from './subscriptions/live-connections.js'
import { rejectSubscriptions } from './subscriptions/reject-subscriptions.js'
import { type CreateSubscriber, Subscriptions } from './subscriptions/subscriptions.js'
import { WebSocketEndpoint } from './subscriptions/web-socket.js'

export interface HttpServerOptions {
  schema: GraphQLSchema
  documents: Documents
  createContext: (request: RequestInfo) => Context
  /** Memoizes data on values that requests share */
  memo: SharedValueMemo
  authenticator: Authenticator
  hosts: Hosts
  checkHealth: () => Promise<HealthReport>
  /**
   * Aborted when the process shuts down. /readyz then reports that the process is draining, and each connection is closed after
   * its response.
   */
  draining: AbortSignal
  /** Describes operational errors such as an outage or overload; returns null for all other errors, which are bugs. */
  describeOperationalError: (error: unknown) => OperationalError | null
  requests: RequestMetrics
  errors: ErrorMetrics
  subscriptions: SubscriptionMetrics
  metricsRoutes: MetricsRoutes
  origins: Origins
  refusedOrigins: RefusedOrigins
  /** Maximum number of subscribers' connections; the number of subscriptions has the same limit */
  maxLiveConnections: number
  maxLiveConnectionsPerAddress: number
  /** Maximum number of events queued for a slow subscriber. If more are queued, the subscriber's stream fails. */
  maxQueuedEvents: number
  /** How often subscribers' connections are checked */
  heartbeatMs: number
  loadShedder: LoadShedder
  slowReaders: SlowReaders
  /** Time limit for receiving a complete request. Slower requests are refused. */
  receiveTimeoutMs: number
  maxOpenConnections: number
  limits: Limits
  /** Whether clients may query the schema, and whether explorers are served */
  introspection: boolean
  logger: FastifyBaseLogger
  requestLog: Pick<RequestLogOptions, 'mode' | 'slowMs'>
  /** undefined if tracing is off */
  tracing: Tracing | undefined
}

/** Returns the client that a request is charged to. */
type ClientOf = (request: IncomingMessage, viewer: Viewer) => string

interface Limits {
  /** The most points that one request may cost */
  maxCost: number
  /** null if usage is not limited */
  budgets: Budgets | null
  /** Number of reverse proxies that append to X-Forwarded-For */
  trustedProxies: number
}

/**
 * Creates the server, which does not listen yet. It serves GraphQL at /graphql, health at /health, /livez and /readyz, metrics,
 * subscriptions and pages.
 */
export async function createHttpServer(options: HttpServerOptions): Promise<FastifyInstance> {
  const {
    schema,
    documents,
    createContext,
    authenticator,
    checkHealth,
    draining,
    describeOperationalError,
    requests,
    errors,
    origins,
    refusedOrigins,
    loadShedder,
    limits,
    introspection,
    logger,
    tracing,
  } = options
  const costs = new Costs(schema, limits.maxCost)
  const costLimits = { costs, budgets: limits.budgets }
  const chargedClientOf: ClientOf = (request, viewer) => (limits.budgets ? clientOf(request, viewer, limits.trustedProxies) : '')
  const compiledQueries = new CompiledQueries({
    schema,
    memo: options.memo,
    maxDocuments: 1_000,
    compileAfterHits: 2,
    costOf: (document) => costs.ofSingleOperation(document),
  })
  const compression = new Compression()
  const traceIdOf = (request: IncomingMessage) => tracing?.requests.traceIdOf(request)
  const observer = new RequestObserver(requests, errors, new RequestLog({ ...options.requestLog, logger, traceIdOf }))
  const fastPath = new FastPathListener({
    documents,
    compression,
    createContext,
    authenticator,
    loadShedder,
    hosts: options.hosts,
    path: graphqlPath,
    draining,
    clientOf: chargedClientOf,
    costLimits,
    compiledQueries: tracing?.operations.wrapCompiledQueries(compiledQueries) ?? compiledQueries,
    observe: (response, seconds) => observer.recordFastPathResponse(response, seconds),
  })
  const pipelined = new PipelinedRequests()
  const server = fastify({
    serverFactory: (standardPath) => {
      const listener = fastPath.wrap(standardPath)
      return createNodeServer(options, pipelined, tracing?.requests.wrap(listener) ?? listener)
    },
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: maxBodyBytes,
    trustProxy: (_, hop) => hop < limits.trustedProxies,
    requestIdHeader: false,
    genReqId: (request) => fastPath.bufferedRequestOf(request)?.id ?? requestId(request.headers),
    return503OnClosing: false,
    clientErrorHandler: createClientErrorHandler(errors),
    frameworkErrors: (error, request, reply) => {
      void (reply as FastifyReply)
        .code(400)
        .headers({ ...securityHeaders, 'x-request-id': request.id })
        .send(requestError(error.message, 'BAD_REQUEST', request.id))
    },
  })
  const apollo = new ApolloServer<Context>({
    schema,
    // Our own validation rules and error formatter refuse introspection, with messages that explain what to do instead.
    introspection: true,
    parseOptions,
    validationOptions,
    validationRules: validationRules(introspection),
    persistedQueries: documents.persistedQueries,
    documentStore: new DocumentStore(maxDocumentBytes),
    includeStacktraceInErrorResponses: false,
    // The process handles signals, and drains before it stops.
    stopOnTerminationSignals: false,
    formatError: createErrorFormatter({ describeOperationalError, suggestsNames: introspection }),
    logger,
    plugins: [
      ApolloServerPluginCacheControlDisabled(),
      ApolloServerPluginUsageReportingDisabled(),
      introspection ? sandboxPage() : ApolloServerPluginLandingPageDisabled(),
      logErrors(logger, describeOperationalError),
      limitCost(costLimits, (context, points) => observer.recordCost(context, points)),
      addCacheReport(() => performance.now()),
      cacheControl(schema),
      compiledQueriesPlugin(compiledQueries),
      observer.plugin(),
      rejectSubscriptions(streamPath, graphqlPath),
      ...(tracing ? [traceOperations(tracing.operations)] : []),
    ],
  })
  await apollo.start()

  readJsonBodies(server)
  server.setChildLoggerFactory((logger) => logger)
  server.addHook('onRequest', (request, reply, next) => {
    // Handlers may override these defaults. The fast path writes these headers in the same order.
    reply.header('x-request-id', request.id).header('cache-control', noStore).header('vary', 'Accept, Accept-Encoding')
    reply.headers(securityHeaders)
    // A Host header is optional in HTTP/1.0.
    if (request.raw.httpVersion !== '1.1') request.raw.headers.host ||= 'localhost'
    const problem = requestProblem(request.raw)
    if (problem !== undefined) return reply.code(400).send(requestError(problem, 'BAD_REQUEST', request.id))
    if (options.hosts.allows(request.headers.host as string)) return next()
    return reply.code(403).send(requestError(hostNotAllowed, 'FORBIDDEN', request.id))
  })
  server.addHook('preParsing', (request, _, payload, next) => {
    const buffered = fastPath.bufferedRequestOf(request.raw)
    next(null, buffered ? Readable.from([buffered.body]) : payload)
  })
  server.addHook('onSend', (request, reply, payload, next) => {
    // An open keep-alive connection would delay the shutdown until the timeout.
    if (draining.aborted) reply.header('connection', 'close')
    if (reply.statusCode === 200) fastPath.rememberHeaders(request.raw, reply.getHeaders())
    if (reply.statusCode < 400 || typeof payload !== 'string') return next(null, payload)
    observer.recordErrorResponse(request.raw, payload)
    next(null, withRequestId(payload, request.id))
  })
  server.addHook('onSend', pageCsp)
  server.addHook('onSend', addEtag)
  server.addHook('onSend', compression.onSend)
  server.addHook('onResponse', ({ raw, id, viewer, routeOptions, method }, reply, done) => {
    const { startedAt = performance.now() - reply.elapsedTime } = fastPath.bufferedRequestOf(raw) ?? {}
    const seconds = (performance.now() - startedAt) / 1000
    if (routeOptions.url === graphqlPath && method !== 'OPTIONS')
      observer.recordResponse({ request: raw, requestId: id, viewer, status: reply.statusCode, seconds })
    done()
  })
  endUnusedConnections(server)
  server.addHook('onClose', () => apollo.stop())
  server.addHook('onRequest', ({ headers }, _, next) => {
    if (origins.isUnreadable(headers)) refusedOrigins.report(headers.origin as string)
    next()
  })
  // With strictPreflight, an OPTIONS request without CORS headers would get a plain-text 400 instead of 204.
  await server.register(cors, {
    origin: origins.patterns,
    maxAge: preflightSeconds,
    strictPreflight: false,
  })
  // Must come after CORS: without CORS headers, pages could not read the response to a refused request.
  const admission = new AdmissionController(loadShedder, logger)
  const { budgets, trustedProxies } = limits
  const readPaths = [graphqlPath, streamPath]
  const isBehindProxy = trustedProxies > 0
  const clientOfBadTokens = ({ raw }: FastifyRequest) => badTokensOf(networkOf(raw, trustedProxies))
  if (budgets) {
    const readingClientOf = (request: FastifyRequest) =>
      request.viewer ? chargedClientOf(request.raw, request.viewer) : clientOfBadTokens(request)
    chargeReading(server, budgets, { paths: readPaths, clientOf: readingClientOf })
  }
  addAdmissionControl(server, admission, {
    paths: readPaths,
    maxBodyBytes,
    clientOf: ({ raw, viewer }) => clientOf(raw, viewer, trustedProxies),
    networkOf: (request) => networkOf(request, trustedProxies),
  })
  parseJsonBodies(server)
  if (budgets) {
    // Verifying a token takes CPU time before the client is known. A network that has sent many invalid tokens is therefore
    // refused without verification until its budget for invalid tokens is replenished.
    const unverifiedClient = (request: FastifyRequest) =>
      authenticator.findCached(request.headers.authorization) ? undefined : clientOfBadTokens(request)
    server.addHook('onRequest', limitRate(budgets, { clientOf: unverifiedClient, isBehindProxy }))
  }
  addAuthentication(server, authenticator)
  const handler = createGraphqlHandler({
    apollo,
    documents,
    createContext: ({ raw, id, viewer }) =>
      observer.recordStart(
        raw,
        fastPath.bufferedRequestOf(raw)?.context ??
          createContext({
            id,
            viewer,
            flags: requestFlagsOf(raw.headers, viewer),
            connection: raw.socket,
            client: chargedClientOf(raw, viewer),
          }),
      ),
  })
  const checkBudget = budgets
    ? limitRate(budgets, { clientOf: ({ raw, viewer }) => chargedClientOf(raw, viewer), isBehindProxy })
    : undefined
  server.route({
    url: graphqlPath,
    ...(checkBudget && { onRequest: checkBudget }),
    // Apollo answers the methods that GraphQL does not use with 405.
    method: ['GET', 'HEAD', 'POST', 'OPTIONS', 'PUT', 'PATCH', 'DELETE'],
    handler: tracing?.operations.wrapExecution(handler) ?? handler,
  })
  registerPages(server, { schema, checkHealth, introspection })
  registerMetrics(server, options.metricsRoutes)
  addSubscriptions(server, { ...options, costLimits, admission, pipelined, checkBudget })
  registerHealth(server, { checkHealth, draining })
  server.setNotFoundHandler((request, reply) =>
    reply.code(404).send(requestError('Not found: GraphQL is at /graphql, and / lists all other paths', 'NOT_FOUND', request.id)),
  )
  server.setErrorHandler<FastifyError>((error, request, reply) => {
    const status = error.statusCode !== undefined && error.statusCode < 500 ? error.statusCode : 500
    if (status === 500) logger.error({ requestId: request.id, err: error }, 'request failed')
    const message = status === 500 ? 'Internal server error: the server log has the details under the request id' : error.message
    return reply.code(status).send(requestError(message, status === 500 ? 'INTERNAL_SERVER_ERROR' : 'BAD_REQUEST', request.id))
  })
  return server
}

/** Returns the key of a network's budget for invalid tokens. */
function badTokensOf(network: string): string {
  return `tokens:${network}`
}

function requestProblem({ headers: { host }, url = '' }: IncomingMessage): string | undefined {
  if (!isHost(host)) return 'The Host header is missing or malformed'
  return isEncodedUrl(url) ? undefined : 'Parameters must be percent-encoded UTF-8'
}

type SubscriptionRouteOptions = HttpServerOptions & {
  costLimits: CostLimits
  admission: AdmissionController
} & Pick<EventStreamOptions, 'pipelined' | 'checkBudget'>

/** Adds subscriptions over WebSocket and server-sent events. */
function addSubscriptions(server: FastifyInstance, options: SubscriptionRouteOptions): void {
  const { createContext, authenticator, origins, maxLiveConnections, maxLiveConnectionsPerAddress, heartbeatMs } = options
  const { admission, pipelined, checkBudget } = options
  const limits = { max: maxLiveConnections, maxPerAddress: maxLiveConnectionsPerAddress }
  const connections = new LiveConnections(limits, options.subscriptions)
  const subscriptions = new Subscriptions({ ...options, connections, metrics: options.subscriptions, now: Date.now })
  const addressOf = (request: IncomingMessage) => networkOf(request, options.limits.trustedProxies)
  const createSubscriber: CreateSubscriber = async (request, requestId, authorization) => {
    const checkToken = () => authenticator.authenticate(authorization)
    const { expiresAtMs, viewer } = await checkToken()
    const client = clientOf(request, viewer, options.limits.trustedProxies)
    const createCheckedContext = async () => {
      const { viewer } = await checkToken()
      return createContext({ id: requestId, viewer, flags: noFlags, connection: alwaysOpen, client })
    }
    const address = addressOf(request)
    return { requestId, viewer, address, client, expiresAtMs, checkToken, createContext: createCheckedContext }
  }
  const shared = { subscriptions, connections, origins, createSubscriber, addressOf, heartbeatMs, admission }
  addEventStream(server, { ...shared, path: streamPath, pipelined, checkBudget })
  const webSocket = new WebSocketEndpoint({
    ...shared,
    path: graphqlPath,
    maxSubscriptions,
    initTimeoutMs,
    hosts: options.hosts,
    refusedOrigins: options.refusedOrigins,
  })
  webSocket.listenOn(server.server as Server)
  server.addHook('preClose', async () => webSocket.close())
}

function createNodeServer(options: HttpServerOptions, pipelined: PipelinedRequests, listener: RequestListener): Server {
  const { receiveTimeoutMs, maxOpenConnections, slowReaders, errors } = options
  const { budgets, trustedProxies } = options.limits
  const isFarOverdrawn = (network: string) => [network, badTokensOf(network)].some((client) => budgets?.isFarOverdrawn(client))
  const timeouts = {
    keepAliveTimeout: keepAliveMs,
    headersTimeout: receiveTimeoutMs,
    requestTimeout: receiveTimeoutMs,
    connectionsCheckingInterval: Math.min(receiveTimeoutMs / 2, 1_000),
  }
  const rate = new ConnectionRate({
    burst: Math.max(minConnectionBurst, maxOpenConnections / 2),
    perSecond: Math.max(minConnectionBurst, maxOpenConnections) / 10,
    now: () => performance.now(),
  })
  // OpenConnections replaces Node's own limit (maxConnections), which closes connections without a response.
  const connections = new OpenConnections({
    max: maxOpenConnections,
    // Behind proxies, connections do not belong to clients.
    mayConnect: (network) => trustedProxies > 0 || (!isFarOverdrawn(network) && rate.take(network)),
    probePaths,
    refuse: createRequestRefuser(errors, {
      status: 503,
      code: 'OVERLOADED',
      message: 'Too many connections are open, try again later',
    }),
  })
  const server = createServer({ ...timeouts, requireHostHeader: false }, connections.wrap(pipelined.wrap(listener)))
  server.on('checkExpectation', pipelined.wrap(createExpectationHandler(errors)))
  connections.watch(server)
  slowReaders.watch(server)
  return server
}

export const graphqlPath = '/graphql'
/** Suffices for a mutation with 500 products that have the longest names, in any script */
const maxBodyBytes = 512 * 1024
/** Heap for parsed documents, which suffices for about 3,000 documents of typical size, or 70 of the largest */
const maxDocumentBytes = 32 * 1024 * 1024
/**
 * How long browsers may cache the response to a preflight request. GET requests with a CSRF header need a preflight request as
 * well.
 */
const preflightSeconds = 600
const streamPath = '/graphql/stream'
/** Maximum number of subscriptions per WebSocket */
const maxSubscriptions = 100
const initTimeoutMs = 5_000
/** Minimum number of connections that a network may open at once, even if MAX_CONNECTIONS is small */
const minConnectionBurst = 500
/**
 * This idle timeout is longer than the usual idle timeout of load balancers (60 s), so that load balancers close idle connections
 * first.
 */
const keepAliveMs = 72_000
