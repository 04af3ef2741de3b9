import { Readable } from 'node:stream'
import { type ApolloServer, HeaderMap, type HTTPGraphQLRequest } from '@apollo/server'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { GraphQLError } from 'graphql'
import type { Context } from '../graphql/context.js'
import { badRequest, type DocumentRequest, type Documents, type Resolved } from './documents/documents.js'
import type { Origins } from './headers/origin.js'

export interface GraphqlHandlerOptions {
  apollo: ApolloServer<Context>
  documents: Documents
  createContext: (request: FastifyRequest) => Context
  origins: Pick<Origins, 'mayQueryByGet'>
}

/** Creates the handler of GraphQL over HTTP, which replaces a document id by the document, and passes the request to Apollo. */
export function createGraphqlHandler({ apollo, documents, createContext, origins }: GraphqlHandlerOptions) {
  return async (request: FastifyRequest, reply: FastifyReply) => {
    const { httpGraphQLRequest, error } = resolveDocument(readRequest(request, origins), documents)
    const { status, headers, body } = await apollo.executeHTTPGraphQLRequest({
      httpGraphQLRequest,
      // The error is thrown here so that Apollo's check against CSRF comes first, and Apollo formats the error.
      context: async () => {
        if (error) throw error
        return createContext(request)
      },
    })
    for (const [name, value] of headers) reply.header(name, value)
    reply.code(status ?? 200)
    return body.kind === 'complete' ? body.string : Readable.from(body.asyncIterator)
  }
}

/** Converts a request for Apollo. HEAD is executed as GET; Node omits the body of the response. */
function readRequest(
  { method, url, headers, body }: FastifyRequest,
  origins: GraphqlHandlerOptions['origins'],
): HTTPGraphQLRequest {
  const map = new HeaderMap()
  for (const [name, value] of Object.entries(headers)) if (value) map.set(name, Array.isArray(value) ? value.join(', ') : value)
  const isGet = method === 'GET' || method === 'HEAD'
  // Apollo's check against CSRF refuses a GET without this header, with few exceptions.
  if (isGet && origins.mayQueryByGet(headers)) map.set('apollo-require-preflight', 'true')
  const start = url.indexOf('?')
  return { method: isGet ? 'GET' : method, headers: map, search: start < 0 ? '' : url.slice(start), body }
}

interface ResolvedRequest {
  httpGraphQLRequest: HTTPGraphQLRequest
  /** The error to send if the request is refused */
  error?: GraphQLError
}

function resolveDocument(request: HTTPGraphQLRequest, documents: Documents): ResolvedRequest {
  if (Array.isArray(request.body)) return { httpGraphQLRequest: request, error: badRequest(...batchRefused) }
  if (request.method !== 'GET') {
    const body = (request.body ?? {}) as DocumentRequest
    return replaceDocument(request, documents.resolve(body), (found) => ({ ...request, body: { ...body, ...found } }))
  }
  const parameters = new URLSearchParams(request.search)
  const documentRequest = {
    query: parameters.get('query'),
    documentId: parameters.get('documentId'),
    extensions: parseExtensions(parameters),
  }
  return replaceDocument(request, documents.resolve(documentRequest), ({ query, extensions }) => {
    parameters.set('query', query)
    parameters.set('extensions', JSON.stringify(extensions))
    return { ...request, search: `?${parameters}` }
  })
}

type FoundDocument = Pick<Extract<Resolved, { state: 'found' }>, 'query' | 'extensions'>

function replaceDocument(
  request: HTTPGraphQLRequest,
  resolved: Resolved,
  withDocument: (found: FoundDocument) => HTTPGraphQLRequest,
): ResolvedRequest {
  if (resolved.state === 'refused') return { httpGraphQLRequest: request, error: resolved.error }
  if (resolved.state === 'unchanged') return { httpGraphQLRequest: request }
  return { httpGraphQLRequest: withDocument({ query: resolved.query, extensions: resolved.extensions }) }
}

/** Returns null for invalid JSON, which Apollo refuses. */
function parseExtensions(parameters: URLSearchParams): unknown {
  try {
    return JSON.parse(parameters.get('extensions') ?? 'null')
  } catch {
    return null
  }
}

const batchRefused = ['BAD_REQUEST', 'Batches are not supported, send each operation in its own request'] as const
