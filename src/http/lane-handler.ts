import type { ApolloServerPlugin } from '@apollo/server'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { LRUCache } from 'lru-cache'
import type { Context } from '../graphql/context.js'
import type { Lane, QueryRequest } from '../lane/lane.js'

export interface LaneHandlerOptions {
  lane: Lane
  /** Once for each request: what was loaded, or failed, in the lane is not asked for again outside it. */
  contextOf: (request: FastifyRequest) => Context
  /** Apollo's handler; gives the body. */
  answerOrdinarily: (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>
}

/** Answers GraphQL requests: from the lane where that has the document, else through Apollo. */
export function createLaneHandler({ lane, contextOf, answerOrdinarily }: LaneHandlerOptions) {
  /** What Apollo answers with, by what is accepted */
  const contentTypes = new LRUCache<string, string>({ max: 100 })

  const answerAndLearn = async (request: FastifyRequest, reply: FastifyReply) => {
    const body = await answerOrdinarily(request, reply)
    const contentType = reply.getHeader('content-type')
    if (request.method === 'POST' && reply.statusCode === 200 && typeof contentType === 'string') {
      contentTypes.set(request.headers.accept ?? '', contentType)
    }
    return body
  }

  return (request: FastifyRequest, reply: FastifyReply) => {
    const contentType = contentTypes.get(request.headers.accept ?? '')
    const query = contentType === undefined ? undefined : plainQuery(request)
    if (!query) return answerAndLearn(request, reply)
    const send = (data: string) => {
      void reply.header('content-type', contentType)
      return reply.send(`{"data":${data}}\n`)
    }
    try {
      const data = lane.run(query, () => contextOf(request))
      if (typeof data === 'string') return send(data)
      if (data !== undefined) return data.then(send, () => answerAndLearn(request, reply))
    } catch {
      // Whatever it was, Apollo meets it again, and says what there is to say.
    }
    return answerAndLearn(request, reply)
  }
}

/** Tells the lane which documents Apollo answers without errors. */
export function teachLane(lane: Lane): ApolloServerPlugin<Context> {
  return {
    async requestDidStart() {
      return {
        async willSendResponse({ source, document, errors, response: { body } }) {
          if (source === undefined || !document || errors || body.kind !== 'single' || body.singleResult.extensions) return
          lane.answered(source, document)
        },
      }
    },
  }
}

/** A POST of a query as text; undefined for anything else that GraphQL over HTTP knows. */
function plainQuery({ method, body }: FastifyRequest): QueryRequest | undefined {
  if (method !== 'POST' || typeof body !== 'object' || body === null) return undefined
  const { query, variables, operationName, extensions } = body as Record<string, unknown>
  if (typeof query !== 'string' || (operationName != null && typeof operationName !== 'string')) return undefined
  if (variables != null && !isRecord(variables)) return undefined
  if (extensions != null && (!isRecord(extensions) || 'persistedQuery' in extensions)) return undefined
  return { query, variables: variables ?? {}, operationName: operationName ?? undefined }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
