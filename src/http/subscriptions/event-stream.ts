import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import type { FastifyInstance, FastifyReply, FastifyRequest, onRequestAsyncHookHandler } from 'fastify'
import type { GraphQLFormattedError } from 'graphql'
import type { ErrorCode } from '../../graphql/errors.js'
import { challenge } from '../../platform/auth/challenge.js'
import { StreamEndedError } from '../../platform/live/stream.js'
import type { PipelinedRequests } from '../connections/pipelined-requests.js'
import { onResponseClosed } from '../connections/response-closed.js'
import { originNotAllowed } from '../headers/origin.js'
import { requestError } from '../request-error.js'
import type { FormattedResult, ResultStream } from './subscriber.js'
import type { SubscriptionRequest, TransportOptions } from './subscriptions.js'

export interface EventStreamOptions extends TransportOptions {
  pipelined: PipelinedRequests
  /** Refuses clients that have used up their budget; undefined if budgets are disabled. */
  checkBudget: onRequestAsyncHookHandler | undefined
}

/**
 * Adds subscriptions as server-sent events, one per connection: the "distinct connections mode" of the GraphQL over SSE protocol.
 */
export function addEventStream(server: FastifyInstance, options: EventStreamOptions): void {
  const {
    path,
    subscriptions,
    connections,
    addressOf,
    origins,
    createSubscriber,
    heartbeatMs,
    admission,
    pipelined,
    checkBudget,
  } = options
  const open = new Set<ServerResponse>()
  // A stream that ends without "complete" makes clients reconnect, to another process or to this one after its restart.
  server.addHook('preClose', async () => {
    for (const response of open) response.end(comment('The server is shutting down: connect again'))
  })
  server.route({
    url: path,
    method: ['GET', 'POST'],
    ...(checkBudget && { onRequest: checkBudget }),
    handler: async (request, reply) => {
      const refuse = (status: number, code: ErrorCode, message: string) => {
        subscriptions.countErrors([code])
        return reply.code(status).send(requestError(message, code, request.id))
      }
      if (!origins.maySubscribe(request.headers)) return refuse(403, 'FORBIDDEN', originNotAllowed)
      const parsed = readRequest(request)
      if (typeof parsed === 'string') return refuse(400, 'BAD_REQUEST', parsed)
      const admitted = connections.admit(addressOf(request.raw))
      if (admitted.state === 'refused') return refuse(admitted.status, admitted.code, admitted.message)
      onResponseClosed(reply.raw, admitted.release)

      const subscriber = await createSubscriber(request.raw, request.id, request.headers.authorization)
      const subscribed = await subscriptions.subscribe(parsed, subscriber)
      if (subscribed.state === 'refused')
        return sendErrors(request, reply, subscriptions.format(subscribed.errors, subscriber), admission)
      const { results } = subscribed
      const response = startEventStream(reply)
      admission.release(response)
      open.add(response)
      onResponseClosed(response, () => {
        open.delete(response)
        void results.return(undefined)
      })
      pipelined.markStreaming(response)
      await sendResults(response, results, heartbeatMs)
      return undefined
    },
  })
}

/** Responds to a refused subscription, as an event stream or with the HTTP status of the first error. */
function sendErrors(
  request: FastifyRequest,
  reply: FastifyReply,
  errors: readonly GraphQLFormattedError[],
  admission: TransportOptions['admission'],
): FastifyReply | undefined {
  const status = statusOf(errors[0]?.extensions?.code)
  // The protocol requires status 200 here, because with any other status, EventSource hides the body from the page.
  if (status === 400 && request.headers.accept?.includes('text/event-stream')) {
    const response = startEventStream(reply)
    admission.release(response)
    response.end(`${next({ errors })}${complete}`)
    return undefined
  }
  if (status === 401) reply.header('www-authenticate', challenge())
  if (status === 429) reply.header('retry-after', String(errors[0]?.extensions?.retryAfterSeconds))
  return reply.code(status).send({ errors })
}

/** Returns the subscription request, or an error message if the HTTP request is malformed. */
function readRequest({ method, query, body, headers }: FastifyRequest): SubscriptionRequest | string {
  if (method === 'POST' && !headers['content-type']?.toLowerCase().startsWith('application/json')) {
    return 'Send the subscription as JSON, with content-type: application/json'
  }
  const parameters = ((method === 'GET' ? query : body) ?? {}) as Record<string, unknown>
  const { operationName } = parameters
  if (operationName != null && typeof operationName !== 'string') return 'operationName must be a string'
  const parse = method === 'GET' ? parseJson : (value: unknown) => value
  const variables = parse(parameters.variables)
  if (variables != null && (typeof variables !== 'object' || Array.isArray(variables))) return 'variables must be an object'
  return {
    bytes: JSON.stringify(parameters).length,
    query: parameters.query,
    documentId: parameters.documentId,
    extensions: parse(parameters.extensions),
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

/** Takes the response over from Fastify, and sends the headers that hooks have set. */
function startEventStream(reply: FastifyReply): ServerResponse {
  reply.hijack()
  const headers = Object.entries(reply.getHeaders()).filter((header): header is [string, string] => header[1] !== undefined)
  reply.raw.writeHead(200, {
    ...Object.fromEntries(headers),
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store, no-transform',
    // Without this header, nginx buffers events.
    'x-accel-buffering': 'no',
  })
  // Every 'error' is followed by 'close', whose listeners clean up.
  reply.raw.on('error', () => undefined)
  reply.raw.socket?.setKeepAlive(true, keepAliveMs).setNoDelay(true)
  return reply.raw
}

/** Sends results until the stream ends or the client disconnects. */
async function sendResults(response: ServerResponse, results: ResultStream, heartbeatMs: number): Promise<void> {
  const { socket } = response.req
  const closed = new AbortController()
  onResponseClosed(response, () => closed.abort())
  response.write(comment('open'))
  const sendHeartbeat = () => {
    // The client has not read all data that was written before this heartbeat.
    if (response.writableNeedDrain) socket.destroy()
    else if (!response.writableEnded) response.write(comment(''))
  }
  // After a stall of the event loop, setImmediate() lets completed writes be processed before the check.
  const heartbeat = setInterval(() => setImmediate(sendHeartbeat), heartbeatMs)
  try {
    for await (const result of results) {
      // The shutdown of the server may have ended the response. Writing to an ended response would be an uncaught error.
      if (response.writableEnded) break
      if (!response.write(next(result))) await once(response, 'drain', closed).catch(() => undefined)
    }
    if (!response.writableEnded) response.end(complete)
  } catch (error) {
    // The stream ends without "complete", so that the client reconnects.
    response.end(comment(error instanceof StreamEndedError ? error.message : 'Internal server error'))
  } finally {
    clearInterval(heartbeat)
  }
}

function comment(text: string): string {
  return `: ${text}\n\n`
}

function next(result: FormattedResult): string {
  return `event: next\ndata: ${JSON.stringify(result)}\n\n`
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
