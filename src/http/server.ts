import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import type { ApolloServer } from '@apollo/server'
import cors from '@fastify/cors'
import { CompiledQueries } from 'cached-resolvers/compiled-queries'
import fastify, {
  type FastifyBaseLogger,
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  LogController,
} from 'fastify'
import type { Context } from '../graphql/context.js'
import type { Viewer } from '../platform/auth/viewer.js'
import { createApollo } from './apollo.js'
import { addAuthentication } from './authentication.js'
import { PipelinedRequests } from './connections/pipelined-requests.js'
import { endUnusedConnections } from './connections/unused-connections.js'
import { FastPathListener } from './fast-path/fast-path-listener.js'
import { createGraphqlHandler } from './graphql-handler.js'
import { noStore } from './headers/cache-control.js'
import { Compression } from './headers/compression.js'
import { bufferJsonBodies, isEncodedUrl, parseBufferedJsonBodies } from './headers/encoding.js'
import { addEtag } from './headers/etag.js'
import { type Hosts, hostNotAllowed, isHost } from './headers/host.js'
import { requestFlagsOf } from './headers/request-flags.js'
import { requestId } from './headers/request-id.js'
import { pageCsp, securityHeaders } from './headers/security-headers.js'
import { registerHealth } from './health/health-routes.js'
import { registerMetrics } from './health/metrics-routes.js'
import { clientOf, invalidTokenBudgetKey, networkOf } from './limits/client.js'
import { Costs } from './limits/costs.js'
import type { CostLimits } from './limits/limit-cost.js'
import { chargeRequestBytesAndRefusals, limitRate } from './limits/limit-rate.js'
import { createNodeServer } from './node-server.js'
import { RequestLog } from './observing/request-log.js'
import { RequestObserver } from './observing/request-observer.js'
import { AdmissionController, addAdmissionControl } from './overload/admission-control.js'
import { registerPages } from './pages/pages.js'
import { graphqlPath, streamPath } from './paths.js'
import { createClientErrorHandler, requestError, withRequestId } from './request-error.js'
import type { HttpServerOptions } from './server-options.js'
import { addSubscriptions } from './subscriptions/add-subscriptions.js'

/** The parts that several of the following functions use */
interface Parts {
  costLimits: CostLimits
  compiledQueries: CompiledQueries
  compression: Compression
  observer: RequestObserver
  fastPath: FastPathListener
  pipelined: PipelinedRequests
  /** Returns the client that a request is charged to; '' if usage is not limited. */
  chargedClientOf: (request: IncomingMessage, viewer: Viewer) => string
}

/**
 * Creates the server, which does not listen yet. It serves GraphQL at /graphql, health at /health, /livez and /readyz, metrics,
 * subscriptions and pages. The order of the following calls matters, because hooks run in the order in which they are added.
 */
export async function createHttpServer(options: HttpServerOptions): Promise<FastifyInstance> {
  const { schema, authenticator, checkHealth, drainSignal, introspection, logger } = options
  const parts = createParts(options)
  const apollo = createApollo(options, parts)
  await apollo.start()
  const server = createFastify(options, parts)
  bufferJsonBodies(server)
  addRequestChecks(server, options.hosts)
  addResponseHooks(server, drainSignal, parts)
  endUnusedConnections(server)
  server.addHook('onClose', () => apollo.stop())
  await addCors(server, options)
  // The limits must come after CORS, because without CORS headers pages could not read the response to a refused request.
  const admission = addLimits(server, options, parts)
  addAuthentication(server, authenticator)
  const checkBudget = createBudgetCheck(options, parts)
  addGraphqlRoute(server, options, { ...parts, apollo, checkBudget })
  registerPages(server, { schema, checkHealth, introspection })
  registerMetrics(server, options.metricsRoutes)
  addSubscriptions(server, { ...options, costLimits: parts.costLimits, pipelined: parts.pipelined, admission, checkBudget })
  registerHealth(server, { checkHealth, drainSignal })
  addErrorHandlers(server, logger)
  return server
}

function createParts(options: HttpServerOptions): Parts {
  const { schema, documents, createContext, authenticator, drainSignal, loadShedder, limits, logger, tracing } = options
  const costs = new Costs(schema, limits.maxCost)
  const costLimits = { costs, budgets: limits.budgets }
  const chargedClientOf: Parts['chargedClientOf'] = (request, viewer) =>
    limits.budgets ? clientOf(request, viewer, limits.trustedProxies) : ''
  const compiledQueries = new CompiledQueries({
    schema,
    memo: options.memo,
    maxDocuments: 1_000,
    compileAfterHits: 2,
    costOf: (document) => costs.ofSingleOperation(document),
  })
  const compression = new Compression()
  const traceIdOf = (request: IncomingMessage) => tracing?.requests.traceIdOf(request)
  const log = new RequestLog({ ...options.requestLog, logger, traceIdOf })
  const observer = new RequestObserver(options.requests, options.errors, log)
  const fastPath = new FastPathListener({
    documents,
    compression,
    createContext,
    authenticator,
    loadShedder,
    hosts: options.hosts,
    path: graphqlPath,
    draining: drainSignal,
    clientOf: chargedClientOf,
    costLimits,
    compiledQueries: tracing?.operations.wrapCompiledQueries(compiledQueries) ?? compiledQueries,
    observe: (response, seconds) => observer.recordFastPathResponse(response, seconds),
  })
  return { costLimits, compiledQueries, compression, observer, fastPath, pipelined: new PipelinedRequests(), chargedClientOf }
}

function createFastify(options: HttpServerOptions, { fastPath, pipelined }: Parts): FastifyInstance {
  const { errors, limits, logger, tracing } = options
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
  server.setChildLoggerFactory((logger) => logger)
  return server
}

/** Sets the default headers of responses, and refuses requests with a wrong host or a malformed URL. */
function addRequestChecks(server: FastifyInstance, hosts: Hosts): void {
  server.addHook('onRequest', (request, reply, next) => {
    // Handlers may override these defaults. The fast path writes these headers in the same order.
    reply.header('x-request-id', request.id).header('cache-control', noStore).header('vary', 'Accept, Accept-Encoding')
    reply.headers(securityHeaders)
    // A Host header is optional in HTTP/1.0.
    if (request.raw.httpVersion !== '1.1') request.raw.headers.host ||= 'localhost'
    const problem = requestProblem(request.raw)
    if (problem !== undefined) return reply.code(400).send(requestError(problem, 'BAD_REQUEST', request.id))
    if (hosts.allows(request.headers.host as string)) return next()
    return reply.code(403).send(requestError(hostNotAllowed, 'FORBIDDEN', request.id))
  })
}

function requestProblem({ headers: { host }, url = '' }: IncomingMessage): string | undefined {
  if (!isHost(host)) return 'The Host header is missing or malformed'
  return isEncodedUrl(url) ? undefined : 'Parameters must be percent-encoded UTF-8'
}

/**
 * Adds hooks that finish and record responses. If the fast path has read a request and passed it on, the hooks use the body and the
 * start time that the fast path has kept.
 */
function addResponseHooks(server: FastifyInstance, drainSignal: AbortSignal, { fastPath, observer, compression }: Parts): void {
  server.addHook('preParsing', (request, _, payload, next) => {
    const buffered = fastPath.bufferedRequestOf(request.raw)
    next(null, buffered ? Readable.from([buffered.body]) : payload)
  })
  server.addHook('onSend', (request, reply, payload, next) => {
    // An open keep-alive connection would delay the shutdown until the timeout.
    if (drainSignal.aborted) reply.header('connection', 'close')
    // The fast path sends these headers with its responses to similar requests.
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
}

async function addCors(server: FastifyInstance, { origins, refusedOrigins }: HttpServerOptions): Promise<void> {
  server.addHook('onRequest', ({ headers }, _, next) => {
    if (origins.cannotReadResponse(headers)) refusedOrigins.report(headers.origin as string)
    next()
  })
  // With strictPreflight, an OPTIONS request without CORS headers would get a plain-text 400 instead of 204.
  await server.register(cors, {
    origin: origins.patterns,
    maxAge: preflightSeconds,
    strictPreflight: false,
  })
}

/**
 * Adds admission control, followed by the parsing of bodies. If usage is limited, charges clients for the bytes of their requests
 * and for refused requests, and refuses networks that send many invalid tokens. createBudgetCheck() returns the hook that refuses
 * clients.
 */
function addLimits(server: FastifyInstance, options: HttpServerOptions, { chargedClientOf }: Parts): AdmissionController {
  const { authenticator, loadShedder, logger } = options
  const { budgets, trustedProxies } = options.limits
  const admission = new AdmissionController(loadShedder, logger)
  const paths = [graphqlPath, streamPath]
  const invalidTokenBudgetKeyOf = ({ raw }: FastifyRequest) => invalidTokenBudgetKey(networkOf(raw, trustedProxies))
  if (budgets) {
    // A request that is refused before or during authentication, for example because of an invalid token, has no viewer.
    const budgetKeyOf = (request: FastifyRequest) =>
      request.viewer ? chargedClientOf(request.raw, request.viewer) : invalidTokenBudgetKeyOf(request)
    chargeRequestBytesAndRefusals(server, budgets, { paths, clientOf: budgetKeyOf })
  }
  addAdmissionControl(server, admission, {
    paths,
    maxBodyBytes,
    clientOf: ({ raw, viewer }) => clientOf(raw, viewer, trustedProxies),
    networkOf: (request) => networkOf(request, trustedProxies),
  })
  parseBufferedJsonBodies(server)
  if (budgets) {
    // Verifying a token takes CPU time, and the client is not known before. If a network has used up its budget for invalid tokens,
    // its requests are therefore refused without verification. This does not apply to tokens that were already verified.
    const unverifiedBudgetKeyOf = (request: FastifyRequest) =>
      authenticator.findCached(request.headers.authorization) ? undefined : invalidTokenBudgetKeyOf(request)
    server.addHook('onRequest', limitRate(budgets, { clientOf: unverifiedBudgetKeyOf, isBehindProxy: trustedProxies > 0 }))
  }
  return admission
}

type BudgetCheck = ReturnType<typeof limitRate>

/** Returns a hook that refuses clients that have used up their budget; undefined if usage is not limited. */
function createBudgetCheck({ limits }: HttpServerOptions, { chargedClientOf }: Parts): BudgetCheck | undefined {
  const { budgets, trustedProxies } = limits
  if (!budgets) return undefined
  const chargedClient = ({ raw, viewer }: FastifyRequest) => chargedClientOf(raw, viewer)
  return limitRate(budgets, { clientOf: chargedClient, isBehindProxy: trustedProxies > 0 })
}

function addGraphqlRoute(
  server: FastifyInstance,
  { documents, createContext, origins, tracing }: HttpServerOptions,
  parts: Parts & { apollo: ApolloServer<Context>; checkBudget: BudgetCheck | undefined },
): void {
  const { apollo, observer, fastPath, chargedClientOf, checkBudget } = parts
  const handler = createGraphqlHandler({
    apollo,
    documents,
    origins,
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
  server.route({
    url: graphqlPath,
    ...(checkBudget && { onRequest: checkBudget }),
    // Apollo answers 405 to methods that GraphQL does not use.
    method: ['GET', 'HEAD', 'POST', 'OPTIONS', 'PUT', 'PATCH', 'DELETE'],
    handler: tracing?.operations.wrapExecution(handler) ?? handler,
  })
}

/** Adds the responses to unknown paths and to errors outside of GraphQL. */
function addErrorHandlers(server: FastifyInstance, logger: FastifyBaseLogger): void {
  server.setNotFoundHandler((request, reply) =>
    reply.code(404).send(requestError('Not found: GraphQL is at /graphql, and / lists all other paths', 'NOT_FOUND', request.id)),
  )
  server.setErrorHandler<FastifyError>((error, request, reply) => {
    const status = error.statusCode !== undefined && error.statusCode < 500 ? error.statusCode : 500
    if (status === 500) logger.error({ requestId: request.id, err: error }, 'request failed')
    const message = status === 500 ? 'Internal server error: the server log has the details under the request id' : error.message
    return reply.code(status).send(requestError(message, status === 500 ? 'INTERNAL_SERVER_ERROR' : 'BAD_REQUEST', request.id))
  })
}

/** Suffices for a mutation with 500 products that have the longest names, in any script */
const maxBodyBytes = 512 * 1024
/**
 * How long browsers may cache the response to a preflight request. Browsers send one before a page of another origin may send a
 * request with a JSON body.
 */
const preflightSeconds = 600
