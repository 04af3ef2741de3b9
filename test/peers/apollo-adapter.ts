import { once } from 'node:events'
import { createServer as createFront, type IncomingMessage, request as send } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { ApolloServer, ApolloServerOptions, BaseContext, ContextThunk } from '@apollo/server'
import { makeExecutableSchema } from '@graphql-tools/schema'
import { buildSchema, type GraphQLSchema } from 'graphql'
import { vi } from 'vitest'
import { startTestApp } from '../helpers/app.js'
import type { TestDatabase } from '../helpers/database.js'

type Options = ApolloServerOptions<BaseContext> & { typeDefs?: never; resolvers?: never; gateway?: never }

interface Plan {
  schema: GraphQLSchema
  options: Options
  context: ContextThunk | undefined
  server?: ApolloServer
}

/** How many of all that were asked for */
export const answers = { all: 0, byApollo: 0 }

/** Of the server that is being made */
let plan: Plan | undefined

vi.mock('../../src/graphql/schema.js', async (original) => ({
  ...(await original<typeof import('../../src/graphql/schema.js')>()),
  createSchema: () => plan?.schema,
}))

// The product's own server, with what a test of the suite configures on top
vi.mock('@apollo/server', async (original) => {
  const actual = await original<typeof import('@apollo/server')>()
  class ConfiguredServer extends actual.ApolloServer {
    private readonly plan = plan as Plan

    constructor(product: ApolloServerOptions<BaseContext>) {
      const { schema, options } = plan as Plan
      const rest = options as unknown as Record<string, unknown>
      const config = {
        ...product,
        // Masking is not what the suite is about.
        formatError: undefined,
        includeStacktraceInErrorResponses: undefined,
        ...rest,
        ...(rest.gateway === undefined && { schema, typeDefs: undefined, resolvers: undefined }),
        plugins: [...(product.plugins ?? []).filter(isOurs), ...(options.plugins ?? [])],
      }
      super(config as never)
      ;(plan as Plan).server = this
    }

    override executeHTTPGraphQLRequest(request: Parameters<ApolloServer['executeHTTPGraphQLRequest']>[0]) {
      answers.byApollo += 1
      const context = async () => Object.assign(await request.context(), await this.plan.context?.())
      return super.executeHTTPGraphQLRequest({ ...request, context })
    }
  }
  return { ...actual, ApolloServer: ConfiguredServer }
})

/** Which of Apollo's own plugins are on, and the page for browsers, are for the suite to say. */
function isOurs(plugin: object): boolean {
  return !('__internal_plugin_id__' in plugin || 'serverWillStart' in plugin)
}

export interface Adapted {
  database: TestDatabase
  /** How often each query is asked before the suite gets an answer */
  rehearsals: number
}

/** The whole product, with the schema and the options of a test */
export async function createServer({ database, rehearsals }: Adapted, options: Options, context?: ContextThunk) {
  const schema =
    options.schema ??
    (options.typeDefs ? makeExecutableSchema({ typeDefs: options.typeDefs, resolvers: options.resolvers as never }) : noSchema)
  plan = { schema, options, context }
  const introspection = options.introspection ?? options.nodeEnv !== 'production'
  const app = await startTestApp({ database, env: { INTROSPECTION: String(introspection) } })
  const front = await startFront(app.origin, isLikeOurs(options, context) ? rehearsals : 0)
  const extraCleanup = async () => {
    await front.close()
    await app.stop()
  }
  return { server: plan.server as ApolloServer, url: front.url, extraCleanup }
}

/** Compiled queries know of no plugin, context or root value but the product's. */
function isLikeOurs({ plugins, formatError, validationRules, gateway, rootValue }: Options, context: unknown): boolean {
  return [plugins, formatError, validationRules, gateway, rootValue, context].every((option) => option === undefined)
}

/** The suite asks at the root of its server. With `rehearsals`, queries are asked that often before they are answered. */
async function startFront(origin: string, rehearsals: number) {
  const front = createFront(async (request, response) => {
    try {
      const body = Buffer.concat(await request.toArray())
      const times = isQuery(request, body) ? rehearsals : 0
      for (let time = 0; time < times; time += 1) (await forward(origin, request, body)).resume()
      const answer = await forward(origin, request, body)
      const { headers } = answer
      if (/json/.test(headers['content-type'] ?? '') && request.method !== 'HEAD') {
        const text = withoutRequestIds(Buffer.concat(await answer.toArray()))
        response.writeHead(answer.statusCode as number, { ...headers, 'content-length': text.length }).end(text)
      } else {
        response.writeHead(answer.statusCode as number, headers)
        answer.pipe(response)
      }
    } catch {
      response.destroy()
    }
  })
  front.listen(0, '127.0.0.1')
  await once(front, 'listening')
  const close = async () => {
    front.close()
    front.closeAllConnections()
  }
  return { url: `http://127.0.0.1:${(front.address() as AddressInfo).port}`, close }
}

function forward(origin: string, { method, headers, url = '/' }: IncomingMessage, body: Buffer): Promise<IncomingMessage> {
  answers.all += 1
  return new Promise((resolve, reject) => {
    const path = `${origin}/graphql${url.slice(1)}`
    send(path, { method, headers: { ...headers, 'accept-encoding': 'identity' } }, resolve)
      .on('error', reject)
      .end(body)
  })
}

/** Answers in parts, and traces for a gateway, are not for compiled queries. */
function isQuery({ method, headers }: IncomingMessage, body: Buffer): boolean {
  const text = body.toString()
  const isOrdinary = !/multipart/.test(headers.accept ?? '') && headers['apollo-federation-include-trace'] === undefined
  return method === 'POST' && isOrdinary && text.includes('"query"') && !/mutation|persistedQuery/.test(text)
}

/** The suite compares whole answers, to which the product adds the id of the request. */
function withoutRequestIds(body: Buffer): Buffer {
  return Buffer.from(body.toString('latin1').replace(/,"requestId":"[\da-f-]{36}"|"requestId":"[\da-f-]{36}",?/g, ''), 'latin1')
}

const noSchema = buildSchema('type Query { none: ID }')
