import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import type { FastifyInstance, FastifyReply, FastifyRequest, onRequestAsyncHookHandler } from 'fastify'
import type { ErrorCode } from '../../graphql/errors.js'
import { challenge } from '../../platform/auth/challenge.js'
import { StreamEndedError } from '../../platform/live/stream.js'
import type { PipelinedRequests } from '../connections/pipelined-requests.js'
import { onResponseClosed } from '../connections/response-closed.js'
import { foreignOrigin, isAllowedOrigin } from '../headers/origin.js'
import { requestError } from '../request-error.js'
import type { Answer, Answers } from './subscriber.js'
import type { CarrierOptions, SubscriptionRequest } from './subscriptions.js'

export interface EventStreamOptions extends CarrierOptions {
  pipelined: PipelinedRequests
  /** Refuses clients that have used up their budget; undefined where there are none. */
  beforeReading: onRequestAsyncHookHandler | undefined
}

/** Subscriptions as server-sent events, one for each connection: the "distinct connections mode" of the GraphQL over SSE protocol. */
export function addEventStream(server: FastifyInstance, options: EventStreamOptions): void {
  const {
    path,
    subscriptions,
    connections,
    addressOf,
    corsOrigins,
    createSubscriber,
    heartbeatMs,
    shedder,
    pipelined,
    beforeReading,
  } = options
  const open = new Set<ServerResponse>()
  // Clients connect again, elsewhere or after the restart.
  server.addHook('preClose', async () => {
    for (const response of open) response.end(comment('The server stops, connect again'))
  })
  server.route({
    url: path,
    method: ['GET', 'POST'],
    ...(beforeReading && { onRequest: beforeReading }),
    handler: async (request, reply) => {
      const refuse = (status: number, code: ErrorCode, message: string) => {
        subscriptions.countErrors([code])
        return reply.code(status).send(requestError(message, code, request.id))
      }
      if (!isAllowedOrigin(request.headers, corsOrigins)) return refuse(403, 'FORBIDDEN', foreignOrigin)
      const read = readRequest(request)
      if (typeof read === 'string') return refuse(400, 'BAD_REQUEST', read)
      const admission = connections.admit(addressOf(request.raw))
      if (admission.state === 'refused') return refuse(admission.status, admission.code, admission.message)
      onResponseClosed(reply.raw, admission.release)

      const subscriber = await createSubscriber(request.raw, request.id, request.headers.authorization)
      const subscribed = await subscriptions.subscribe(read, subscriber)
      if (subscribed.state === 'refused') {
        const errors = subscriptions.format(subscribed.errors, subscriber)
        const status = statusOf(errors[0]?.extensions?.code)
        // The protocol asks for that: EventSource gives no page the body of another status.
        if (status === 400 && request.headers.accept?.includes('text/event-stream')) {
          const response = takeOver(reply)
          shedder.leave(response)
          return void response.end(`${next({ errors })}${complete}`)
        }
        if (status === 401) reply.header('www-authenticate', challenge())
        if (status === 429) reply.header('retry-after', String(errors[0]?.extensions?.retryAfterSeconds))
        return reply.code(status).send({ errors })
      }
      const { answers } = subscribed
      const response = takeOver(reply)
      shedder.leave(response)
      open.add(response)
      onResponseClosed(response, () => {
        open.delete(response)
        void answers.return(undefined)
      })
      pipelined.stream(response)
      await stream(response, answers, heartbeatMs)
      return undefined
    },
  })
}

/** A message says what is wrong. */
function readRequest({ method, query, body, headers }: FastifyRequest): SubscriptionRequest | string {
  if (method === 'POST' && !headers['content-type']?.toLowerCase().startsWith('application/json')) {
    return 'Send the subscription as JSON, with content-type: application/json'
  }
  const given = ((method === 'GET' ? query : body) ?? {}) as Record<string, unknown>
  const { operationName } = given
  if (operationName != null && typeof operationName !== 'string') return 'operationName must be a string'
  const parse = method === 'GET' ? parseJson : (value: unknown) => value
  const variables = parse(given.variables)
  if (variables != null && (typeof variables !== 'object' || Array.isArray(variables))) return 'variables must be an object'
  return {
    bytes: JSON.stringify(given).length,
    query: given.query,
    documentId: given.documentId,
    extensions: parse(given.extensions),
    operationName: operationName || undefined,
    variables: (variables ?? undefined) as SubscriptionRequest['variables'],
  }
}

function parseJson(text: unknown): unknown {
  if (text === undefined || text === '') return undefined
  try {
    return JSON.parse(String(text))
  } catch {
    return text
  }
}

/** With the headers that hooks have set */
function takeOver(reply: FastifyReply): ServerResponse {
  reply.hijack()
  const headers = Object.entries(reply.getHeaders()).filter((header): header is [string, string] => header[1] !== undefined)
  reply.raw.writeHead(200, {
    ...Object.fromEntries(headers),
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store, no-transform',
    // nginx would hold events back.
    'x-accel-buffering': 'no',
  })
  // A close follows.
  reply.raw.on('error', () => undefined)
  reply.raw.socket?.setKeepAlive(true, keepAliveMs).setNoDelay(true)
  return reply.raw
}

/** Resolves when it has ended, from whichever side. */
async function stream(response: ServerResponse, answers: Answers, heartbeatMs: number): Promise<void> {
  const { socket } = response.req
  const closed = new AbortController()
  onResponseClosed(response, () => closed.abort())
  response.write(comment('open'))
  const beat = () => {
    // What was sent before the last one has not been taken yet.
    if (response.writableNeedDrain) socket.destroy()
    else if (!response.writableEnded) response.write(comment(''))
  }
  // After a stall, an immediate runs after what the kernel has sent meanwhile is known.
  const heartbeat = setInterval(() => setImmediate(beat), heartbeatMs)
  try {
    for await (const answer of answers) {
      // The stop of the server ends it, too; what is written after that is a fault of the whole process.
      if (response.writableEnded) break
      if (!response.write(next(answer))) await once(response, 'drain', closed).catch(() => undefined)
    }
    if (!response.writableEnded) response.end(complete)
  } catch (error) {
    // Without a "complete", clients connect again.
    response.end(comment(error instanceof StreamEndedError ? error.message : 'Internal server error'))
  } finally {
    clearInterval(heartbeat)
  }
}

function comment(text: string): string {
  return `: ${text}\n\n`
}

function next(answer: Answer): string {
  return `event: next\ndata: ${JSON.stringify(answer)}\n\n`
}

const complete = 'event: complete\ndata:\n\n'

function statusOf(code: unknown): number {
  return statuses[String(code)] ?? 400
}

const statuses: Partial<Record<string, number>> = {
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  RATE_LIMITED: 429,
  TOO_MANY_SUBSCRIPTIONS: 429,
  INTERNAL_SERVER_ERROR: 500,
  SERVICE_UNAVAILABLE: 503,
  OVERLOADED: 503,
}
const keepAliveMs = 30_000
