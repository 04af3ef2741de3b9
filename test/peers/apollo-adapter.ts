import { once } from 'node:events'
import { createServer as createHttpServer, type IncomingMessage, request as send } from 'node:http'
import type { AddressInfo } from 'node:net'
import { isDeepStrictEqual } from 'node:util'
import type { ApolloServer, ApolloServerOptions, BaseContext, ContextThunk } from '@apollo/server'
import { makeExecutableSchema } from '@graphql-tools/schema'
import { buildSchema, type GraphQLSchema } from 'graphql'
import { vi } from 'vitest'
import { startTestApp } from '../helpers/app.js'
import type { TestDatabase } from '../helpers/database.js'

type Options = ApolloServerOptions<BaseContext> & { typeDefs?: never; resolvers?: never; gateway?: never }

interface ServerConfig {
  schema: GraphQLSchema
  options: Options
  context: ContextThunk | undefined
  server?: ApolloServer
}

/** Number of responses, how many of them Apollo produced, and those to a repeated query that differ from its first response */
export const responses = { all: 0, byApollo: 0, different: [] as string[] }

/** Of the server that is being created */
let serverConfig: ServerConfig | undefined

vi.mock('../../src/graphql/schema.js', async (original) => ({
  ...(await original<typeof import('../../src/graphql/schema.js')>()),
  createSchema: () => serverConfig?.schema,
}))

// The database has been migrated, by its template; the suite starts the product 240 times.
vi.mock('../../src/wiring/migrate.js', () => ({ migrate: async () => true }))

// The product's own server, with the options of the suite's test on top
vi.mock('@apollo/server', async (original) => {
  const actual = await original<typeof import('@apollo/server')>()
  class ConfiguredServer extends actual.ApolloServer {
    private readonly serverConfig = serverConfig as ServerConfig

    constructor(product: ApolloServerOptions<BaseContext>) {
      const { schema, options } = serverConfig as ServerConfig
      const rest = options as unknown as Record<string, unknown>
      const config = {
        ...product,
        // The suite does not expect masked errors.
        formatError: undefined,
        includeStacktraceInErrorResponses: undefined,
        ...rest,
        ...(rest.gateway === undefined && { schema, typeDefs: undefined, resolvers: undefined }),
        plugins: [...(product.plugins ?? []).filter(isOurs), ...(options.plugins ?? [])],
      }
      super(config as never)
      ;(serverConfig as ServerConfig).server = this
    }

    override executeHTTPGraphQLRequest(request: Parameters<ApolloServer['executeHTTPGraphQLRequest']>[0]) {
      responses.byApollo += 1
      const context = async () => Object.assign(await request.context(), await this.serverConfig.context?.())
      return super.executeHTTPGraphQLRequest({ ...request, context })
    }
  }
  return { ...actual, ApolloServer: ConfiguredServer }
})

/** Excludes Apollo's own plugins and the landing page, which the suite configures. */
function isOurs(plugin: object): boolean {
  return !('__internal_plugin_id__' in plugin || 'serverWillStart' in plugin)
}

/** Starts the product with the schema and the options of a test; without the relay, since the suite reads nothing from the database. */
export async function createServer(database: TestDatabase, options: Options, context?: ContextThunk) {
  const schema =
    options.schema ??
    (options.typeDefs ? makeExecutableSchema({ typeDefs: options.typeDefs, resolvers: options.resolvers as never }) : noSchema)
  serverConfig = { schema, options, context }
  const introspection = options.introspection ?? options.nodeEnv !== 'production'
  const app = await startTestApp({ database, runsRelay: false, env: { INTROSPECTION: String(introspection) } })
  const proxy = await startProxy(app.origin, isCompilable(options, context))
  const extraCleanup = async () => {
    await proxy.close()
    await app.stop()
  }
  return { server: serverConfig.server as ApolloServer, url: proxy.url, extraCleanup }
}

/** Compiled queries support only the product's own plugins, context and root value. */
function isCompilable({ plugins, formatError, validationRules, gateway, rootValue }: Options, context: unknown): boolean {
  return [plugins, formatError, validationRules, gateway, rootValue, context].every((option) => option === undefined)
}

/**
 * Starts a proxy, because the suite expects GraphQL at the root path. If queries may be compiled, each is sent four times: first for the
 * response of Apollo, last for that of the compiled query, which the suite gets. Both have to be equal.
 */
async function startProxy(origin: string, mayCompile: boolean) {
  const proxy = createHttpServer(async (request, response) => {
    try {
      const body = Buffer.concat(await request.toArray())
      const send = () => forward(origin, request, body)
      const first = mayCompile && isQuery(request, body) ? await read(await send()) : undefined
      if (first) for (let time = 0; time < 2; time += 1) (await send()).resume()
      const answer = await send()
      if (/json/.test(answer.headers['content-type'] ?? '') && request.method !== 'HEAD') {
        const { status, headers, text } = await read(answer)
        if (first && !isDeepStrictEqual({ status, headers, text: String(text) }, { ...first, text: String(first.text) }))
          responses.different.push(`${body}\n${JSON.stringify(first)} ${first.text}\n${JSON.stringify(headers)} ${text}`)
        response.writeHead(status, { ...headers, 'content-length': text.length }).end(text)
      } else {
        response.writeHead(answer.statusCode as number, answer.headers)
        answer.pipe(response)
      }
    } catch {
      response.destroy()
    }
  })
  proxy.listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  const close = async () => {
    proxy.close()
    proxy.closeAllConnections()
  }
  return { url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`, close }
}

function forward(origin: string, { method, headers, url = '/' }: IncomingMessage, body: Buffer): Promise<IncomingMessage> {
  responses.all += 1
  return new Promise((resolve, reject) => {
    const path = `${origin}/graphql${url.slice(1)}`
    send(path, { method, headers: { ...headers, 'accept-encoding': 'identity' } }, resolve)
      .on('error', reject)
      .end(body)
  })
}

/** Reads a response, without what differs between equal requests. */
async function read(answer: IncomingMessage) {
  const { date, 'x-request-id': requestId, ...headers } = answer.headers
  return { status: answer.statusCode as number, headers, text: withoutRequestIds(Buffer.concat(await answer.toArray())) }
}

/** Multipart responses and federation traces are not compiled. */
function isQuery({ method, headers }: IncomingMessage, body: Buffer): boolean {
  const text = body.toString()
  const isPlain = !/multipart/.test(headers.accept ?? '') && headers['apollo-federation-include-trace'] === undefined
  return method === 'POST' && isPlain && text.includes('"query"') && !/mutation|persistedQuery/.test(text)
}

/** Removes the request ids that the product adds to errors: the suite compares whole responses. */
function withoutRequestIds(body: Buffer): Buffer {
  return Buffer.from(body.toString('latin1').replace(/,"requestId":"[\da-f-]{36}"|"requestId":"[\da-f-]{36}",?/g, ''), 'latin1')
}

const noSchema = buildSchema('type Query { none: ID }')
