import type { IncomingMessage, Server } from 'node:http'
import type { Duplex } from 'node:stream'
import type { GraphQLError } from 'graphql'
import { CloseCode, handleProtocols, makeServer, type SubscribePayload } from 'graphql-ws'
import { type WebSocket, WebSocketServer } from 'ws'
import { unauthenticated, withCode } from '../../graphql/errors.js'
import { InvalidTokenError } from '../../platform/auth/faults.js'
import { StreamEndedError } from '../../platform/live/stream.js'
import { whenAnswered } from '../connections/response-closed.js'
import { withoutUpgrade } from '../connections/without-upgrade.js'
import { type Hosts, isHost, strangeHost } from '../headers/host.js'
import { foreignOrigin, isAllowedOrigin } from '../headers/origin.js'
import { requestId } from '../headers/request-id.js'
import { overloaded } from '../overload/shed.js'
import { type Refusal, refuseRaw } from '../request-error.js'
import type { Answers } from './subscriber.js'
import type { CarrierOptions, SubscriptionRequest } from './subscriptions.js'

export interface WebSocketOptions extends CarrierOptions {
  maxSubscriptions: number
  hosts: Hosts
  /** How long a client may take to introduce itself */
  initTimeoutMs: number
}

interface Extra {
  socket: WebSocket
  /** The one that was upgraded */
  request: IncomingMessage
  requestId: string
  /** Whose budget is charged for messages */
  client: string
  /** That came although nothing was left of it */
  messagesBeyondBudget: number
}

/** Subscriptions over WebSocket, in the protocol graphql-transport-ws. */
export class WebSocketEndpoint {
  private readonly sockets = new WebSocketServer({
    noServer: true,
    handleProtocols,
    maxPayload: maxMessageBytes,
    perMessageDeflate: false,
    // One message, ping or pong of each socket in a turn of the event loop, however many have arrived
    allowSynchronousEvents: false,
  })
  private readonly protocol: ReturnType<typeof this.createProtocol>
  /** To the last ping */
  private readonly answering = new WeakSet<WebSocket>()
  private heartbeat: NodeJS.Timeout | undefined
  private closing = false

  constructor(private readonly options: WebSocketOptions) {
    // ws itself would answer with HTML.
    this.sockets.on('wsClientError', (error, socket, { headers }) => {
      options.subscriptions.countErrors(['BAD_REQUEST'])
      refuseRaw(socket, { status: 400, code: 'BAD_REQUEST', message: error.message }, requestId(headers))
    })
    this.protocol = this.createProtocol()
  }

  listenOn(server: Server): void {
    server.on('upgrade', (request, socket, head) => {
      // Once, however many upgrades it offers.
      socket.off('error', destroyIt).on('error', destroyIt)
      // What the client asked for before is answered first.
      whenAnswered(socket, () => {
        if (request.headers.upgrade?.toLowerCase() === 'websocket') this.upgrade(request, socket, head)
        else withoutUpgrade(server, request, socket, head)
      })
    })
    // After a stall, answers to the last ping may lie in the sockets: an immediate runs after they were read.
    this.heartbeat = setInterval(() => setImmediate(() => this.beat()), this.options.heartbeatMs)
    this.heartbeat.unref()
  }

  /** Tells all clients to come again, which they do, elsewhere or after the restart. */
  close(): void {
    this.closing = true
    clearInterval(this.heartbeat)
    for (const socket of this.sockets.clients) {
      socket.close(goingAway, 'The server stops, connect again')
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
      this.sockets.handleUpgrade(request, socket, head, (its) =>
        this.serve({ socket: its, request, requestId: id, client, messagesBeyondBudget: 0 }),
      )
    }
  }

  private refusalOf({ url, headers }: IncomingMessage): ({ state: 'refused' } & Refusal) | undefined {
    const { path, corsOrigins, hosts } = this.options
    if (!isHost(headers.host))
      return { state: 'refused', status: 400, code: 'BAD_REQUEST', message: 'The Host header is malformed' }
    if (!hosts.allows(headers.host)) return { state: 'refused', status: 403, code: 'FORBIDDEN', message: strangeHost }
    if (url?.split('?')[0] !== path)
      return { state: 'refused', status: 404, code: 'NOT_FOUND', message: `WebSocket is at ${path}` }
    if (!isAllowedOrigin(headers, corsOrigins))
      return { state: 'refused', status: 403, code: 'FORBIDDEN', message: foreignOrigin }
    if (this.options.shedder.isLate) return { state: 'refused', status: 503, code: 'OVERLOADED', message: overloaded }
    if (this.closing)
      return { state: 'refused', status: 503, code: 'SERVICE_UNAVAILABLE', message: 'The server stops, connect again' }
    return undefined
  }

  private serve(extra: Extra): void {
    const { socket } = extra
    this.answering.add(socket)
    const closed = this.protocol.opened(
      {
        protocol: socket.protocol,
        // Events of a slow reader wait for it.
        send: (data) => send(socket, data),
        close: (code, reason) => close(socket, code, reason),
        onMessage: (take) => {
          socket.on('message', (data, isBinary) => {
            // Who asks and does not read must not fill the memory with answers.
            if (socket.bufferedAmount > maxUnsentBytes) return socket.terminate()
            if (!this.isWithinBudget(extra)) return undefined
            const refuse = () => socket.close(CloseCode.BadRequest, 'Invalid message received')
            // Of texts alone it is known that they are UTF-8.
            if (isBinary) refuse()
            else take(String(data)).catch(refuse)
          })
        },
      },
      extra,
    )
    socket.on('ping', () => this.isWithinBudget(extra))
    socket.on('pong', () => {
      if (this.isWithinBudget(extra)) this.answering.add(socket)
    })
    // A close follows.
    socket.on('error', () => undefined)
    socket.once('close', (code, reason) => void closed(code, String(reason)))
  }

  /** Closes the socket of a client that goes on sending when its budget is used up. */
  private isWithinBudget(extra: Extra): boolean {
    if (this.options.subscriptions.chargeMessage(extra.client)) return true
    extra.messagesBeyondBudget += 1
    // Each of these few is told why.
    if (extra.messagesBeyondBudget <= maxMessagesBeyondBudget) return true
    close(extra.socket, tryAgainLater, 'Your messages have cost as much as they may for now')
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
          // A bad token closes with 4403, which clients take for an answer.
          if (!(error instanceof InvalidTokenError)) extra.socket.close(tryAgainLater, 'The token cannot be checked now')
          return false
        }
      },
      onSubscribe: async ({ extra, subscriptions: open, connectionParams }, _id, payload) => {
        // This one is among them.
        if (Object.keys(open).length > maxSubscriptions) return [tooMany(maxSubscriptions)]
        return this.whenThereIsTime(extra, async () => {
          const subscriber = await this.subscriberOf(extra, connectionParams).catch(() => null)
          if (!subscriber) return [unauthenticated()]
          const subscribed = await subscriptions.subscribe(requestOf(payload), subscriber)
          if (subscribed.state === 'refused') {
            subscriptions.chargeRefusal(subscriber)
            return subscribed.errors
          }
          return { ...subscribed.args, contextValue: endingWith(extra.socket, subscribed.answers) }
        })
      },
      subscribe: ({ contextValue }) => contextValue as never,
      // They have been formatted.
      onNext: (_context, _id, _payload, _args, result) => result as never,
      onError: ({ extra }, _id, _payload, errors) => subscriptions.format(errors as readonly GraphQLError[], extra),
    })
  }

  private subscriberOf({ request, requestId }: Extra, connectionParams: ConnectionParams) {
    return this.options.createSubscriber(request, requestId, authorizationIn(connectionParams) ?? request.headers.authorization)
  }

  /** In a turn of the event loop that has time for it. After a restart many come at once, and clients do not ask again by themselves. */
  private async whenThereIsTime<T>({ client, socket }: Extra, work: () => Promise<T>): Promise<T | [GraphQLError]> {
    const { shedder } = this.options
    const asker = {
      get destroyed() {
        return socket.readyState !== socket.OPEN
      },
    }
    const begins = await new Promise((resolve) => shedder.wait(client, asker, resolve))
    return begins ? work() : [withCode('OVERLOADED', overloaded)]
  }

  /** A peer that did not answer the last ping is gone. */
  private beat(): void {
    if (this.closing) return
    for (const socket of this.sockets.clients) {
      if (this.answering.delete(socket)) socket.ping()
      else socket.terminate()
    }
  }
}

function send(socket: WebSocket, data: string): Promise<void> {
  return new Promise((resolve) => {
    if (socket.readyState !== socket.OPEN) return resolve()
    // Where it fails, the connection closes, and that ends all.
    socket.send(data, () => resolve())
  })
}

/** A stream that was ended from here ends the connection, with a code that makes clients connect again. */
function endingWith(socket: WebSocket, answers: Answers): Answers {
  const its: Answers = {
    next: () =>
      answers.next().catch((error) => {
        socket.close(tryAgainLater, error instanceof StreamEndedError ? error.message : 'Internal server error')
        return { done: true as const, value: undefined }
      }),
    return: (value) => answers.return(value),
    throw: (error) => answers.throw(error),
    [Symbol.asyncIterator]: () => its,
  }
  return its
}

function tooMany(most: number): GraphQLError {
  const message = `${most} subscriptions are open on this connection, and no more are allowed`
  return withCode('TOO_MANY_SUBSCRIPTIONS', message)
}

function requestOf(payload: SubscribePayload): SubscriptionRequest {
  const { query, operationName, variables, extensions } = payload
  return {
    ...{ bytes: JSON.stringify(payload).length, query, extensions },
    ...{ operationName: operationName ?? undefined, variables: variables ?? undefined },
  }
}

type ConnectionParams = Readonly<Record<string, unknown>> | undefined

/** As in a header, which browsers cannot set for a WebSocket. What is no string is a token that is not good, rather than none. */
function authorizationIn(payload: ConnectionParams): string | undefined {
  const authorization = payload?.authorization ?? payload?.Authorization ?? undefined
  return authorization === undefined || typeof authorization === 'string' ? authorization : JSON.stringify(authorization)
}

/** The protocol has 123 bytes for the reason, and graphql-ws puts ids of clients into it. */
function close(socket: WebSocket, code: number | undefined, reason = ''): void {
  socket.close(
    code,
    Buffer.from(reason)
      .subarray(0, maxReasonBytes)
      .toString()
      .replace(/\ufffd+$/, ''),
  )
}

function destroyIt(this: Duplex): void {
  this.destroy()
}

const goingAway = 1001
const tryAgainLater = 1013
const closeTimeoutMs = 1_000
const maxMessageBytes = 65_536
const maxUnsentBytes = 1024 * 1024
const maxReasonBytes = 123
const maxMessagesBeyondBudget = 100
