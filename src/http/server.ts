import { randomUUID } from 'node:crypto'
import { ApolloServer } from '@apollo/server'
import { ApolloServerPluginCacheControlDisabled, ApolloServerPluginUsageReportingDisabled } from '@apollo/server/plugin/disabled'
import { ApolloServerPluginLandingPageLocalDefault } from '@apollo/server/plugin/landingPage/default'
import { fastifyApolloHandler } from '@as-integrations/fastify'
import cors from '@fastify/cors'
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
import { createErrorFormatter, type Fault } from '../graphql/errors.js'
import { Lane } from '../lane/lane.js'
import { logErrors } from './error-log.js'
import type { HealthReport } from './health.js'
import { createLaneHandler, type LaneHandlerOptions, teachLane } from './lane-handler.js'
import { starterDocument, starterVariables } from './starter.js'

export interface HttpServerOptions {
  schema: GraphQLSchema
  createContext: (requestId: string) => Context
  checkHealth: () => Promise<HealthReport>
  /** Knows the faults that are no bugs. */
  describeFault: (error: unknown) => Fault | null
  corsOrigins: readonly string[]
  logger: FastifyBaseLogger
}

declare module 'fastify' {
  interface FastifyRequest {
    graphqlContext: Context | null
  }
}

/** GraphQL at /graphql (Apollo Sandbox, for a browser), health at /health. Not listening yet. */
export async function createHttpServer(options: HttpServerOptions): Promise<FastifyInstance> {
  const { schema, createContext, checkHealth, describeFault, corsOrigins, logger } = options
  const server = fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: 1024 * 1024,
    requestIdHeader: false,
    genReqId: ({ headers }) => requestId(headers['x-request-id']),
    return503OnClosing: false,
    frameworkErrors: (error, request, reply) => {
      void (reply as FastifyReply).code(400).send(requestError(error.message, 'BAD_REQUEST', request.id))
    },
  })
  const lane = new Lane({ schema, maxDocuments: 1_000, sightings: 2 })
  const apollo = new ApolloServer<Context>({
    schema,
    introspection: true,
    includeStacktraceInErrorResponses: false,
    // The process decides when to stop, and drains first.
    stopOnTerminationSignals: false,
    formatError: createErrorFormatter(describeFault),
    logger,
    plugins: [
      ApolloServerPluginCacheControlDisabled(),
      ApolloServerPluginUsageReportingDisabled(),
      ApolloServerPluginLandingPageLocalDefault({ document: starterDocument, variables: starterVariables, footer: false }),
      logErrors(logger, describeFault),
      teachLane(lane),
    ],
  })
  await apollo.start()

  server.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id)
    // Apollo builds a URL of it, and would answer 500.
    if (!isHost(request.headers.host))
      await reply.code(400).send(requestError('The Host header is malformed', 'BAD_REQUEST', request.id))
  })
  let closing = false
  server.addHook('preClose', async () => {
    closing = true
  })
  server.addHook('onSend', async (_, reply) => {
    // Kept alive, a connection would hold up the end until it is cut off.
    if (closing) reply.header('connection', 'close')
  })
  server.addHook('onClose', () => apollo.stop())
  await server.register(cors, { origin: [...corsOrigins] })
  server.decorateRequest('graphqlContext', null)
  const contextOf = (request: FastifyRequest) => {
    request.graphqlContext ??= createContext(request.id)
    return request.graphqlContext
  }
  // Its types are of an older Fastify.
  const answerOrdinarily = fastifyApolloHandler(apollo, { context: async (request) => contextOf(request) }).bind(
    server,
  ) as unknown as LaneHandlerOptions['answerOrdinarily']
  server.route({
    url: '/graphql',
    method: ['GET', 'POST', 'OPTIONS'],
    handler: createLaneHandler({ lane, contextOf, answerOrdinarily }),
  })
  server.get('/', (_, reply) => reply.redirect('/graphql'))
  server.get('/health', async (_, reply) => {
    const report = await checkHealth()
    return reply
      .code(report.status === 'unavailable' ? 503 : 200)
      .header('cache-control', 'no-store')
      .send(report)
  })
  server.setNotFoundHandler((request, reply) =>
    reply.code(404).send(requestError('There is nothing here; GraphQL is at /graphql', 'NOT_FOUND', request.id)),
  )
  server.setErrorHandler<FastifyError>((error, request, reply) => {
    const status = error.statusCode !== undefined && error.statusCode < 500 ? error.statusCode : 500
    if (status === 500) request.log.error({ err: error }, 'request failed')
    const message = status === 500 ? 'Internal server error, the request id leads to the log' : error.message
    return reply.code(status).send(requestError(message, status === 500 ? 'INTERNAL_SERVER_ERROR' : 'BAD_REQUEST', request.id))
  })
  return server
}

/** Clients of GraphQL read errors in this shape, whatever went wrong. */
function requestError(message: string, code: string, requestId: string) {
  return { errors: [{ message, extensions: { code, requestId } }] }
}

/** The caller's own, where it is harmless in a log. */
function requestId(given: string | string[] | undefined): string {
  return typeof given === 'string' && /^[\w.:-]{1,64}$/.test(given) ? given : randomUUID()
}

function isHost(host: string | undefined): boolean {
  return host === undefined || host === '' || URL.canParse(`http://${host}/`)
}
