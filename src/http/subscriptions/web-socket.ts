import type { IncomingMessage, Server } from 'node:http'
import type { Duplex } from 'node:stream'
import type { GraphQLError } from 'graphql'
import { CloseCode, handleProtocols, makeServer, type SubscribePayload } from 'graphql-ws'
import { type WebSocket, WebSocketServer } from 'ws'
import { unauthenticated, withCode } from '../../graphql/errors.js'
import { InvalidTokenError } from '../../platform/auth/errors.js'
import { StreamEndedError } from '../../platform/live/stream.js'
import { ignoreUpgrade } from '../connections/ignore-upgrade.js'
import { onConnectionIdle } from '../connections/response-closed.js'
import { type Hosts, hostNotAllowed, isHost } from '../headers/host.js'
import { originNotAllowed } from '../headers/origin.js'
import { requestId } from '../headers/request-id.js'
import type { RefusedOrigins } from '../observing/refused-origins.js'
import { overloadedMessage } from '../overload/admission-control.js'
import { type Refusal, refuseRaw } from '../request-error.js'
import type { ResultStream } from './subscriber.js'
import type { SubscriptionRequest, TransportOptions } from './subscriptions.js'

export interface WebSocketOptions extends TransportOptions {
  maxSubscriptions: number
  hosts: Hosts
  refusedOrigins: RefusedOrigins
  /** How long the server waits for connection_init before it closes the connection */
  initTimeoutMs: number
}

interface Extra {
  socket: WebSocket
  /** The upgrade request */
  request: IncomingMessage
  requestId: string
  /** The client whose budget is charged for messages */
  client: string
  /** Number of messages received while the budget was used up */
  messagesBeyondBudget: number
}

/** Serves subscriptions over WebSocket, with the protocol graphql-transport-ws. */
export class WebSocketEndpoint {
  private readonly sockets = new WebSocketServer({
    noServer: true,
    handleProtocols,
    maxPayload: maxMessageBytes,
    perMessageDeflate: false,
    // Process one message, ping or pong of each socket per iteration of the event loop.
    allowSynchronousEvents: false,
  })
  private readonly protocol: ReturnType<typeof this.createProtocol>
  /** Sockets that have answered the last ping */
  private readonly alive = new WeakSet<WebSocket>()
  private heartbeat: NodeJS.Timeout | undefined
  private closing = false

  constructor(private readonly options: WebSocketOptions) {
    // Without this listener, ws would answer with HTML.
    this.sockets.on('wsClientError', (error, socket, { headers }) => {
      options.subscriptions.countErrors(['BAD_REQUEST'])
      refuseRaw(socket, { status: 400, code: 'BAD_REQUEST', message: error.message }, requestId(headers))
    })
    this.protocol = this.createProtocol()
  }

  listenOn(server: Server): void {
    server.on('upgrade', (request, socket, head) => {
      // Avoids a second listener if the client sends several upgrade requests.
      socket.off('error', destroySocket).on('error', destroySocket)
      // Earlier pipelined requests are answered first.
      onConnectionIdle(socket, () => {
        if (request.headers.upgrade?.toLowerCase() === 'websocket') this.upgrade(request, socket, head)
        else ignoreUpgrade(server, request, socket, head)
      })
    })
    // After a stall of the event loop, setImmediate() lets pongs that have arrived be read before the check.
    this.heartbeat = setInterval(() => setImmediate(() => this.pingAll()), this.options.heartbeatMs)
    this.heartbeat.unref()
  }

  /** Closes all sockets with a code that makes clients reconnect, to another process or to this one after its restart. */
  close(): void {
    this.closing = true
    clearInterval(this.heartbeat)
    for (const socket of this.sockets.clients) {
      socket.close(goingAway, 'The server is shutting down: connect again')
      setTimeout(() => socket.terminate(), closeTimeoutMs).unref()
    }
  }

  private upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const refusal = this.refusalOf(request)
    const admission = refusal ?? this.options.connections.admit(this.options.addressOf(request))
    const id = requestId(request.headers)
    if (admission.state === 'refused') {
      this.options.subscriptions.countErrors([admission.code])
      refuseRaw(socket, admission, id)
    } else {
      socket.once('close', admission.release)
      const client = this.options.addressOf(request)
      this.sockets.handleUpgrade(request, socket, head, (webSocket) =>
        this.serve({ socket: webSocket, request, requestId: id, client, messagesBeyondBudget: 0 }),
      )
    }
  }

  private refusalOf({ url, headers }: IncomingMessage): ({ state: 'refused' } & Refusal) | undefined {
    const { path, origins, refusedOrigins, hosts } = this.options
    if (!isHost(headers.host))
      return { state: 'refused', status: 400, code: 'BAD_REQUEST', message: 'The Host header is malformed' }
    if (!hosts.allows(headers.host)) return { state: 'refused', status: 403, code: 'FORBIDDEN', message: hostNotAllowed }
    if (url?.split('?')[0] !== path)
      return { state: 'refused', status: 404, code: 'NOT_FOUND', message: `WebSocket connections are accepted at ${path} only` }
    if (!origins.maySubscribe(headers)) {
      if (headers.origin !== undefined) refusedOrigins.report(headers.origin)
      return { state: 'refused', status: 403, code: 'FORBIDDEN', message: originNotAllowed }
    }
    if (this.options.admission.checkOverload())
      return { state: 'refused', status: 503, code: 'OVERLOADED', message: overloadedMessage }
    if (this.closing)
      return { state: 'refused', status: 503, code: 'SERVICE_UNAVAILABLE', message: 'The server is shutting down: connect again' }
    return undefined
  }

  private serve(extra: Extra): void {
    const { socket } = extra
    this.alive.add(socket)
    const closed = this.protocol.opened(
      {
        protocol: socket.protocol,
        // graphql-ws waits for the returned promise before it reads the next event. The events of a slow client thus stay in the
        // queue of the subscription's Member, which is limited.
        send: (data) => send(socket, data),
        close: (code, reason) => close(socket, code, reason),
        onMessage: (handleMessage) => {
          socket.on('message', (data, isBinary) => {
            // A client that sends requests but does not read the responses must not fill the memory with responses.
            if (socket.bufferedAmount > maxUnsentBytes) return socket.terminate()
            if (!this.chargeMessage(extra)) return undefined
            const closeAsInvalid = () => socket.close(CloseCode.BadRequest, 'Invalid message received')
            // ws validates UTF-8 in text messages only.
            if (isBinary) closeAsInvalid()
            else handleMessage(String(data)).catch(closeAsInvalid)
          })
        },
      },
      extra,
    )
    socket.on('ping', () => this.chargeMessage(extra))
    socket.on('pong', () => {
      if (this.chargeMessage(extra)) this.alive.add(socket)
    })
    // Every 'error' is followed by 'close', whose listener cleans up.
    socket.on('error', () => undefined)
    socket.once('close', (code, reason) => void closed(code, String(reason)))
  }

  /** Returns false and closes the socket if the client keeps sending after its budget is used up. */
  private chargeMessage(extra: Extra): boolean {
    if (this.options.subscriptions.chargeMessage(extra.client)) return true
    extra.messagesBeyondBudget += 1
    // The first messages beyond the budget are processed, so that each subscribe message gets an error.
    if (extra.messagesBeyondBudget <= maxMessagesBeyondBudget) return true
    close(extra.socket, tryAgainLater, 'The rate limit is exceeded: send fewer messages')
    return false
  }

  private createProtocol() {
    const { subscriptions, maxSubscriptions, initTimeoutMs } = this.options
    return makeServer<Record<string, unknown>, Extra>({
      connectionInitWaitTimeout: initTimeoutMs,
      onConnect: async ({ extra, connectionParams }) => {
        try {
          extra.client = (await this.subscriberOf(extra, connectionParams)).client
          return true
        } catch (error) {
          // Returning false closes the socket with 4403, which is right for an invalid token only. After any other error the
          // client should reconnect, so the socket is closed here with a different code.
          if (!(error instanceof InvalidTokenError))
            extra.socket.close(tryAgainLater, 'The token cannot be verified now: connect again later')
          return false
        }
      },
      onSubscribe: async ({ extra, subscriptions: open, connectionParams }, _id, payload) => {
        // `open` includes the new subscription.
        if (Object.keys(open).length > maxSubscriptions) return [tooManySubscriptions(maxSubscriptions)]
        return this.runScheduled(extra, async () => {
          const subscriber = await this.subscriberOf(extra, connectionParams).catch(() => null)
          if (!subscriber) return [unauthenticated()]
          const subscribed = await subscriptions.subscribe(requestOf(payload), subscriber)
          if (subscribed.state === 'refused') {
            subscriptions.chargeRefusal(subscriber)
            return subscribed.errors
          }
          return { ...subscribed.args, contextValue: closeSocketOnError(extra.socket, subscribed.results) }
        })
      },
      subscribe: ({ contextValue }) => contextValue as never,
      // Results are already formatted.
      onNext: (_context, _id, _payload, _args, result) => result as never,
      onError: ({ extra }, _id, _payload, errors) => subscriptions.format(errors as readonly GraphQLError[], extra),
    })
  }

  private subscriberOf({ request, requestId }: Extra, connectionParams: ConnectionParams) {
    return this.options.createSubscriber(request, requestId, authorizationIn(connectionParams) ?? request.headers.authorization)
  }

  /**
   * Runs the work when the scheduler starts it, or returns an error if the process is overloaded. Subscriptions are queued rather
   * than refused, because after a restart many clients subscribe at the same time, and clients do not retry refused
   * subscriptions.
   */
  private async runScheduled<T>({ client, socket }: Extra, work: () => Promise<T>): Promise<T | [GraphQLError]> {
    const { admission } = this.options
    const connection = {
      get destroyed() {
        return socket.readyState !== socket.OPEN
      },
    }
    const mayStart = await new Promise((resolve) => admission.schedule(client, connection, resolve))
    return mayStart ? work() : [withCode('OVERLOADED', overloadedMessage)]
  }

  /** Terminates the sockets that did not answer the last ping. */
  private pingAll(): void {
    if (this.closing) return
    for (const socket of this.sockets.clients) {
      if (this.alive.delete(socket)) socket.ping()
      else socket.terminate()
    }
  }
}

function send(socket: WebSocket, data: string): Promise<void> {
  return new Promise((resolve) => {
    if (socket.readyState !== socket.OPEN) return resolve()
    // The error can be ignored, because if sending fails, the connection closes, and its subscriptions end.
    socket.send(data, () => resolve())
  })
}

/** Wraps a stream: if the stream fails, closes the socket with a code that makes clients reconnect. */
function closeSocketOnError(socket: WebSocket, results: ResultStream): ResultStream {
  const wrapped: ResultStream = {
    next: () =>
      results.next().catch((error) => {
        socket.close(tryAgainLater, error instanceof StreamEndedError ? error.message : 'Internal server error')
        return { done: true as const, value: undefined }
      }),
    return: (value) => results.return(value),
    throw: (error) => results.throw(error),
    [Symbol.asyncIterator]: () => wrapped,
  }
  return wrapped
}

function tooManySubscriptions(max: number): GraphQLError {
  const message = `This connection has reached the limit of ${max} open subscriptions`
  return withCode('TOO_MANY_SUBSCRIPTIONS', message)
}

function requestOf(payload: SubscribePayload): SubscriptionRequest {
  const { query, operationName, variables, extensions } = payload
  return {
    bytes: JSON.stringify(payload).length,
    query,
    extensions,
    operationName: operationName ?? undefined,
    variables: variables ?? undefined,
  }
}

type ConnectionParams = Readonly<Record<string, unknown>> | undefined

/**
 * Returns the token of connection_init, which browsers use because they cannot set headers of a WebSocket. A value that is not a
 * string is returned as JSON, so that it is refused as an invalid token instead of ignored.
 */
function authorizationIn(payload: ConnectionParams): string | undefined {
  const authorization = payload?.authorization ?? payload?.Authorization ?? undefined
  return authorization === undefined || typeof authorization === 'string' ? authorization : JSON.stringify(authorization)
}

/**
 * Closes a socket. Truncates the reason to the 123 bytes that the WebSocket protocol allows, because reasons of graphql-ws
 * contain ids that clients chose.
 */
function close(socket: WebSocket, code: number | undefined, reason = ''): void {
  socket.close(
    code,
    Buffer.from(reason)
      .subarray(0, maxReasonBytes)
      .toString()
      .replace(/\ufffd+$/, ''),
  )
}

function destroySocket(this: Duplex): void {
  this.destroy()
}

const goingAway = 1001
const tryAgainLater = 1013
const closeTimeoutMs = 1_000
const maxMessageBytes = 65_536
const maxUnsentBytes = 1024 * 1024
const maxReasonBytes = 123
const maxMessagesBeyondBudget = 100
