import { Readable } from 'node:stream'
import { type ApolloServer, HeaderMap, type HTTPGraphQLRequest } from '@apollo/server'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { GraphQLError } from 'graphql'
import type { Context } from '../graphql/context.js'
import { badRequest, type DocumentRequest, type Documents, type Resolved } from './documents/documents.js'

export interface GraphqlHandlerOptions {
  apollo: ApolloServer<Context>
  documents: Documents
  createContext: (request: FastifyRequest) => Context
}

/** GraphQL over HTTP: what is asked for goes to Apollo, with the document in the place of its name, and what Apollo says comes back. */
export function createGraphqlHandler({ apollo, documents, createContext }: GraphqlHandlerOptions) {
  return async (request: FastifyRequest, reply: FastifyReply) => {
    const { httpGraphQLRequest, error } = withDocument(readRequest(request), documents)
    const { status, headers, body } = await apollo.executeHTTPGraphQLRequest({
      httpGraphQLRequest,
      // A refusal from here comes after Apollo's own, and is written like one.
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

/** HEAD is a GET whose answer stays here but for its headers. */
function readRequest({ method, url, headers, body }: FastifyRequest): HTTPGraphQLRequest {
  const map = new HeaderMap()
  for (const [name, value] of Object.entries(headers)) if (value) map.set(name, Array.isArray(value) ? value.join(', ') : value)
  const start = url.indexOf('?')
  return { method: method === 'HEAD' ? 'GET' : method, headers: map, search: start < 0 ? '' : url.slice(start), body }
}

interface WithDocument {
  httpGraphQLRequest: HTTPGraphQLRequest
  /** Why it is refused */
  error?: GraphQLError
}

function withDocument(request: HTTPGraphQLRequest, documents: Documents): WithDocument {
  if (Array.isArray(request.body)) return { httpGraphQLRequest: request, error: badRequest(...noBatches) }
  if (request.method !== 'GET') {
    const body = (request.body ?? {}) as DocumentRequest
    return replace(request, documents.resolve(body), (found) => ({ ...request, body: { ...body, ...found } }))
  }
  const parameters = new URLSearchParams(request.search)
  const asked = { query: parameters.get('query'), documentId: parameters.get('documentId'), extensions: jsonOf(parameters) }
  return replace(request, documents.resolve(asked), ({ query, extensions }) => {
    parameters.set('query', query)
    parameters.set('extensions', JSON.stringify(extensions))
    return { ...request, search: `?${parameters}` }
  })
}

type Found = Pick<Extract<Resolved, { state: 'found' }>, 'query' | 'extensions'>

function replace(request: HTTPGraphQLRequest, resolved: Resolved, put: (found: Found) => HTTPGraphQLRequest): WithDocument {
  if (resolved.state === 'refused') return { httpGraphQLRequest: request, error: resolved.error }
  if (resolved.state === 'unchanged') return { httpGraphQLRequest: request }
  return { httpGraphQLRequest: put({ query: resolved.query, extensions: resolved.extensions }) }
}

/** What is no JSON is for Apollo to tell. */
function jsonOf(parameters: URLSearchParams): unknown {
  try {
    return JSON.parse(parameters.get('extensions') ?? 'null')
  } catch {
    return null
  }
}

const noBatches = ['BAD_REQUEST', 'Batches are not accepted, send every operation as a request of its own'] as const
