import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import { Readable } from 'node:stream'
import { ApolloServer } from '@apollo/server'
import {
  ApolloServerPluginCacheControlDisabled,
  ApolloServerPluginLandingPageDisabled,
  ApolloServerPluginUsageReportingDisabled,
} from '@apollo/server/plugin/disabled'
import cors from '@fastify/cors'
import { Lane, type Notes } from 'cached-resolvers/compiled-queries'
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
import { createErrorFormatter, type Fault } from '../graphql/errors.js'
import type { Authenticator } from '../platform/auth/authenticator.js'
import type { Viewer } from '../platform/auth/viewer.js'
import type { ErrorFigures } from '../platform/metrics/error-figures.js'
import type { RequestFigures } from '../platform/metrics/request-figures.js'
import type { SubscriptionFigures } from '../platform/metrics/subscription-figures.js'
import type { Tracing } from '../platform/tracing/tracing.js'
import type { Asking } from './asking.js'
import { authenticate } from './authentication.js'
import { OpenConnections } from './connections/open-connections.js'
import { PipelinedRequests } from './connections/pipelined-requests.js'
import type { SlowReaders } from './connections/slow-readers.js'
import { endUnusedConnections } from './connections/unused-connections.js'
import type { Documents } from './documents/documents.js'
import { LaneListener } from './fast-path/lane-listener.js'
import { teachLane } from './fast-path/teach-lane.js'
import { createGraphqlHandler } from './graphql-handler.js'
import { cacheControl, unstored } from './headers/cache-control.js'
import { Compression } from './headers/compression.js'
import { isEncodedUrl, parseJsonBodies, readJsonBodies } from './headers/encoding.js'
import { tagAnswer } from './headers/etag.js'
import { type Hosts, isHost, strangeHost } from './headers/host.js'
import type { CorsOrigins } from './headers/origin.js'
import { requestId } from './headers/request-id.js'
import { letPagesWork, securityHeaders } from './headers/security-headers.js'
import { noWishes, wishesOf } from './headers/wishes.js'
import { type FiguresRoutes, registerFigures } from './health/figures-routes.js'
import type { HealthReport } from './health/health.js'
import { probePaths, registerHealth } from './health/health-routes.js'
import type { Budgets } from './limits/budgets.js'
import { clientOf, networkOf } from './limits/client.js'
import { ConnectionRate } from './limits/connection-rate.js'
import { Costs } from './limits/costs.js'
import { type CostLimits, limitCost } from './limits/limit-cost.js'
import { chargeReading, limitRate } from './limits/limit-rate.js'
import { logErrors } from './observing/error-log.js'
import { reportOrigins } from './observing/report-origins.js'
import { RequestLog, type RequestLogOptions } from './observing/request-log.js'
import { RequestObserver } from './observing/request-observer.js'
import { traceOperations } from './observing/trace-operations.js'
import { stillThere } from './overload/deadlines.js'
import type { Load } from './overload/load.js'
import { Shedder, shed } from './overload/shed.js'
import { registerPages } from './pages/pages.js'
import { sandboxPage } from './pages/sandbox.js'
import { connectionRefuser, expectationRefuser, requestError, requestRefuser, withRequestId } from './request-error.js'
import { addEventStream, type EventStreamOptions } from './subscriptions/event-stream.js'
import { LiveConnections } from './subscriptions/live-connections.js'
import { type CreateSubscriber, Subscriptions } from './subscriptions/subscriptions.js'
import { sendSubscriptionsElsewhere } from './subscriptions/subscriptions-elsewhere.js'
import { WebSocketEndpoint } from './subscriptions/web-socket.js'

export interface HttpServerOptions {
  schema: GraphQLSchema
  documents: Documents
  createContext: (asking: Asking) => Context
  /** On the values that requests share */
  notes: Notes
  authenticator: Authenticator
  hosts: Hosts
  checkHealth: () => Promise<HealthReport>
  /** Aborted when this process is about to go: it is not ready any more, and each answer ends its connection. */
  leaving: AbortSignal
  /** Knows the faults that are no bugs. */
  describeFault: (error: unknown) => Fault | null
  requests: RequestFigures
  errors: ErrorFigures
  subscriptions: SubscriptionFigures
  figures: FiguresRoutes
  corsOrigins: CorsOrigins
  /** Of subscribers */
  /** Of subscribers, and as many subscriptions */
  maxConnections: number
  maxConnectionsPerAddress: number
  /** So many events wait for a slow subscriber; with more, its stream fails. */
  maxWaitingEvents: number
  /** How often it is looked whether they are still there */
  heartbeatMs: number
  load: Load
  slowReaders: SlowReaders
  /** A request that has not arrived as a whole by then is given up. */
  receiveTimeoutMs: number
  maxOpenConnections: number
  limits: Limits
  /** Whether clients may ask for the schema, and explorers are there */
  tellsSchema: boolean
  logger: FastifyBaseLogger
  requestLog: Pick<RequestLogOptions, 'logged' | 'slowMs'>
  /** undefined where nothing is traced */
  tracing: Tracing | undefined
}

/** Who pays */
type ClientOf = (request: IncomingMessage, viewer: Viewer) => string

interface Limits {
  /** Points that one request may cost */
  maxCost: number
  /** null: clients may use as much as they like. */
  budgets: Budgets | null
  /** Proxies in front that add to X-Forwarded-For */
  trustedProxies: number
}

/** GraphQL at /graphql, health at /health, /livez and /readyz, and the pages. Not listening yet. */
export async function createHttpServer(options: HttpServerOptions): Promise<FastifyInstance> {
  const {
    schema,
    documents,
    createContext,
    authenticator,
    checkHealth,
    leaving,
    describeFault,
    requests,
    errors,
    corsOrigins,
    load,
    limits,
    tellsSchema,
    logger,
    tracing,
  } = options
  const costs = new Costs(schema, limits.maxCost)
  const costLimits = { costs, budgets: limits.budgets }
  const client: ClientOf = (request, viewer) => (limits.budgets ? clientOf(request, viewer, limits.trustedProxies) : '')
  const lane = new Lane({
    ...{ schema, notes: options.notes, maxDocuments: 1_000, sightings: 2 },
    costOf: (document) => costs.ofOnly(document),
  })
  const compression = new Compression()
  const traceIdOf = (request: IncomingMessage) => tracing?.requests.traceIdOf(request)
  const observer = new RequestObserver(requests, errors, new RequestLog({ ...options.requestLog, logger, traceIdOf }))
  const laneListener = new LaneListener({
    ...{
      documents,
      compression,
      createContext,
      authenticator,
      load,
      hosts: options.hosts,
      path: graphqlPath,
      leaving,
      clientOf: client,
      costLimits,
    },
    lane: tracing?.operations.ofLane(lane) ?? lane,
    observe: (answer, seconds) => observer.answeredInLane(answer, seconds),
  })
  const pipelined = new PipelinedRequests()
  const server = fastify({
    serverFactory: (ordinary) => {
      const listener = laneListener.inFrontOf(ordinary)
      return createNodeServer(options, pipelined, tracing?.requests.inFrontOf(listener) ?? listener)
    },
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: maxBodyBytes,
    trustProxy: (_, hop) => hop < limits.trustedProxies,
    requestIdHeader: false,
    genReqId: (request) => laneListener.takenOf(request)?.id ?? requestId(request.headers),
    return503OnClosing: false,
    clientErrorHandler: connectionRefuser(errors),
    frameworkErrors: (error, request, reply) => {
      void (reply as FastifyReply)
        .code(400)
        .headers({ ...securityHeaders, 'x-request-id': request.id })
        .send(requestError(error.message, 'BAD_REQUEST', request.id))
    },
  })
  const apollo = new ApolloServer<Context>({
    schema,
    // Rules and formatter refuse it themselves, and say what to do instead.
    introspection: true,
    parseOptions,
    validationOptions,
    validationRules: validationRules(tellsSchema),
    persistedQueries: documents.persistedQueries,
    documentStore: new DocumentStore(maxDocumentBytes),
    includeStacktraceInErrorResponses: false,
    // The process decides when to stop, and drains first.
    stopOnTerminationSignals: false,
    formatError: createErrorFormatter({ describeFault, suggests: tellsSchema }),
    logger,
    plugins: [
      ApolloServerPluginCacheControlDisabled(),
      ApolloServerPluginUsageReportingDisabled(),
      tellsSchema ? sandboxPage() : ApolloServerPluginLandingPageDisabled(),
      logErrors(logger, describeFault),
      limitCost(costLimits, (context, points) => observer.costs(context, points)),
      reportOrigins(() => performance.now()),
      cacheControl(schema),
      teachLane(lane),
      observer.plugin(),
      sendSubscriptionsElsewhere(streamPath, graphqlPath),
      ...(tracing ? [traceOperations(tracing.operations)] : []),
    ],
  })
  await apollo.start()

  readJsonBodies(server)
  server.setChildLoggerFactory((its) => its)
  server.addHook('onRequest', (request, reply, next) => {
    // Unless somebody says otherwise. The lane writes them in this order.
    reply.header('x-request-id', request.id).header('cache-control', unstored).header('vary', 'Accept, Accept-Encoding')
    reply.headers(securityHeaders)
    // HTTP/1.0 need not have one.
    if (request.raw.httpVersion !== '1.1') request.raw.headers.host ||= 'localhost'
    const fault = faultOf(request.raw)
    if (fault !== undefined) return reply.code(400).send(requestError(fault, 'BAD_REQUEST', request.id))
    if (options.hosts.allows(request.headers.host as string)) return next()
    return reply.code(403).send(requestError(strangeHost, 'FORBIDDEN', request.id))
  })
  server.addHook('preParsing', (request, _, payload, next) => {
    const taken = laneListener.takenOf(request.raw)
    next(null, taken ? Readable.from([taken.body]) : payload)
  })
  server.addHook('onSend', (request, reply, payload, next) => {
    // Kept alive, a connection would hold up the end until it is cut off.
    if (leaving.aborted) reply.header('connection', 'close')
    if (reply.statusCode === 200) laneListener.learn(request.raw, reply.getHeaders())
    if (reply.statusCode < 400 || typeof payload !== 'string') return next(null, payload)
    observer.refused(request.raw, payload)
    next(null, withRequestId(payload, request.id))
  })
  server.addHook('onSend', letPagesWork)
  server.addHook('onSend', tagAnswer)
  server.addHook('onSend', compression.onSend)
  server.addHook('onResponse', ({ raw, id, viewer, routeOptions, method }, reply, done) => {
    const { startedAt = performance.now() - reply.elapsedTime } = laneListener.takenOf(raw) ?? {}
    const seconds = (performance.now() - startedAt) / 1000
    if (routeOptions.url === graphqlPath && method !== 'OPTIONS')
      observer.answered({ request: raw, requestId: id, viewer, status: reply.statusCode, seconds })
    done()
  })
  endUnusedConnections(server)
  server.addHook('onClose', () => apollo.stop())
  // A bare OPTIONS is answered too: the other answer is text that no client of GraphQL expects.
  await server.register(cors, {
    origin: corsOrigins === '*' ? '*' : [...corsOrigins],
    maxAge: preflightSeconds,
    strictPreflight: false,
  })
  // Behind the headers of CORS: pages have to be able to read a refusal.
  const shedder = new Shedder(load, logger)
  const { budgets, trustedProxies } = limits
  const readPaths = [graphqlPath, streamPath]
  const isBehindProxy = trustedProxies > 0
  const payerOfTokens = ({ raw }: FastifyRequest) => tokensOf(networkOf(raw, trustedProxies))
  if (budgets) {
    const payerOf = (request: FastifyRequest) => (request.viewer ? client(request.raw, request.viewer) : payerOfTokens(request))
    chargeReading(server, budgets, { paths: readPaths, clientOf: payerOf })
  }
  shed(server, shedder, {
    ...{ paths: readPaths, maxBodyBytes },
    clientOf: ({ raw, viewer }) => clientOf(raw, viewer, trustedProxies),
    networkOf: (request) => networkOf(request, trustedProxies),
  })
  parseJsonBodies(server)
  if (budgets) {
    // A token takes time before anybody knows whose it is: an address that sends many bad ones has to wait, without one it need not.
    const payer = (request: FastifyRequest) =>
      authenticator.recall(request.headers.authorization) ? undefined : payerOfTokens(request)
    server.addHook('onRequest', limitRate(budgets, { clientOf: payer, isBehindProxy }))
  }
  authenticate(server, authenticator)
  const handler = createGraphqlHandler({
    ...{ apollo, documents },
    createContext: ({ raw, id, viewer }) =>
      observer.began(
        raw,
        laneListener.takenOf(raw)?.context ??
          createContext({
            id,
            viewer,
            wishes: wishesOf(raw.headers, viewer),
            connection: raw.socket,
            client: client(raw, viewer),
          }),
      ),
  })
  const beforeReading = budgets
    ? limitRate(budgets, { clientOf: ({ raw, viewer }) => client(raw, viewer), isBehindProxy })
    : undefined
  server.route({
    url: graphqlPath,
    ...(beforeReading && { onRequest: beforeReading }),
    // Apollo tells the others that they are not allowed.
    method: ['GET', 'HEAD', 'POST', 'OPTIONS', 'PUT', 'PATCH', 'DELETE'],
    handler: tracing?.operations.around(handler) ?? handler,
  })
  registerPages(server, { schema, checkHealth, tellsSchema })
  registerFigures(server, options.figures)
  addSubscriptions(server, { ...options, costLimits, shedder, pipelined, beforeReading })
  registerHealth(server, { checkHealth, leaving })
  server.setNotFoundHandler((request, reply) =>
    reply
      .code(404)
      .send(requestError('There is nothing here; GraphQL is at /graphql, and / names the rest', 'NOT_FOUND', request.id)),
  )
  server.setErrorHandler<FastifyError>((error, request, reply) => {
    const status = error.statusCode !== undefined && error.statusCode < 500 ? error.statusCode : 500
    if (status === 500) logger.error({ requestId: request.id, err: error }, 'request failed')
    const message = status === 500 ? 'Internal server error, the request id leads to the log' : error.message
    return reply.code(status).send(requestError(message, status === 500 ? 'INTERNAL_SERVER_ERROR' : 'BAD_REQUEST', request.id))
  })
  return server
}

/** Who pays for tokens that are not good */
function tokensOf(network: string): string {
  return `tokens:${network}`
}

function faultOf({ headers: { host }, url = '' }: IncomingMessage): string | undefined {
  if (!isHost(host)) return 'The Host header is missing or malformed'
  return isEncodedUrl(url) ? undefined : 'Parameters must be percent-encoded UTF-8'
}
type SubscribingOptions = HttpServerOptions & {
  costLimits: CostLimits
  shedder: Shedder
} & Pick<EventStreamOptions, 'pipelined' | 'beforeReading'>

/** Over WebSocket and as server-sent events. */
function addSubscriptions(server: FastifyInstance, options: SubscribingOptions): void {
  const { createContext, authenticator, corsOrigins, maxConnections, maxConnectionsPerAddress, heartbeatMs } = options
  const { shedder, pipelined, beforeReading } = options
  const limits = { max: maxConnections, maxPerAddress: maxConnectionsPerAddress }
  const connections = new LiveConnections(limits, options.subscriptions)
  const subscriptions = new Subscriptions({ ...options, connections, figures: options.subscriptions, now: Date.now })
  const addressOf = (request: IncomingMessage) => networkOf(request, options.limits.trustedProxies)
  const createSubscriber: CreateSubscriber = async (request, requestId, authorization) => {
    const checkToken = () => authenticator.authenticate(authorization)
    const { expiresAtMs, viewer } = await checkToken()
    const client = clientOf(request, viewer, options.limits.trustedProxies)
    const createContextNow = async () => {
      const { viewer } = await checkToken()
      return createContext({ id: requestId, viewer, wishes: noWishes, connection: stillThere, client })
    }
    const address = addressOf(request)
    return { requestId, viewer, address, client, expiresAtMs, checkToken, createContext: createContextNow }
  }
  const shared = { subscriptions, connections, corsOrigins, createSubscriber, addressOf, heartbeatMs, shedder }
  addEventStream(server, { ...shared, path: streamPath, pipelined, beforeReading })
  const webSocket = new WebSocketEndpoint({ ...shared, path: graphqlPath, maxSubscriptions, initTimeoutMs, hosts: options.hosts })
  webSocket.listenOn(server.server as Server)
  server.addHook('preClose', async () => webSocket.close())
}

function createNodeServer(options: HttpServerOptions, pipelined: PipelinedRequests, listener: RequestListener): Server {
  const { receiveTimeoutMs, maxOpenConnections, slowReaders, errors } = options
  const { budgets, trustedProxies } = options.limits
  const isFarBeyond = (network: string) => [network, tokensOf(network)].some((client) => budgets?.isFarBeyond(client))
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
  // What node would refuse without a word is refused by us.
  const connections = new OpenConnections({
    max: maxOpenConnections,
    // Behind proxies, connections are theirs.
    isBarred: (network) => trustedProxies === 0 && (isFarBeyond(network) || !rate.take(network)),
    probePaths,
    refuse: requestRefuser(errors, {
      status: 503,
      code: 'OVERLOADED',
      message: 'Too many clients are connected, try again later',
    }),
  })
  const server = createServer({ ...timeouts, requireHostHeader: false }, connections.inFrontOf(pipelined.inFrontOf(listener)))
  server.on('checkExpectation', pipelined.inFrontOf(expectationRefuser(errors)))
  connections.watch(server)
  slowReaders.watch(server)
  return server
}

export const graphqlPath = '/graphql'
/** 500 products with the longest names, in whatever script, fit. */
const maxBodyBytes = 512 * 1024
/** Of heap, for parsed documents: some 3,000 usual ones, 70 of the largest */
const maxDocumentBytes = 32 * 1024 * 1024
/** How long a browser need not ask again whether it may ask: GETs with the header against forgery need that, too. */
const preflightSeconds = 600
const streamPath = '/graphql/stream'
/** On one connection */
const maxSubscriptions = 100
const initTimeoutMs = 5_000
/** Of a network, however few connections may be open */
const minConnectionBurst = 500
/** Above that of the usual load balancers (60 s), so that it is they who end idle connections */
const keepAliveMs = 72_000
