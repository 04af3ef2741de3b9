import type { IncomingMessage, Server } from 'node:http'
import type { FastifyBaseLogger, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { onResponseClosed } from '../connections/response-closed.js'
import { AddressCounts } from '../limits/address-counts.js'
import { AddressLimit } from '../limits/address-limit.js'
import { requestError } from '../request-error.js'
import type { Connection } from './deadlines.js'
import type { LoadShedder } from './load-shedder.js'
import { RequestScheduler } from './request-scheduler.js'

/**
 * Starts a few requests per iteration of the event loop, and refuses requests while the process is overloaded. HTTP, event
 * streams and WebSockets of a process share one instance.
 */
export class AdmissionController {
  private readonly scheduler = new RequestScheduler({ targetIterationMs, maxQueued, now: () => performance.now() })
  private readonly inFlightByNetwork = new AddressCounts()
  private readonly bodyBytes = new AddressLimit({ max: maxTotalBodyBytes, maxPerAddress: maxTotalBodyBytes / 2 })
  private readonly releases = new WeakMap<object, () => void>()
  private refused = 0
  private reportedAt = Number.NEGATIVE_INFINITY

  constructor(
    private readonly loadShedder: LoadShedder,
    private readonly logger: FastifyBaseLogger,
  ) {}

  /** Notifies the scheduler of new connections, so that it leaves time for accepting them. */
  trackConnections(server: Server): void {
    server.on('connection', () => this.scheduler.onConnection())
  }

  /**
   * Returns whether overload is sustained and this iteration of the event loop has taken longer than `maxDelayMs` of the load
   * shedder. Even requests that could be answered from memory are then refused. Must be called when each request arrives, because
   * the first call in an iteration starts the measurement of the iteration.
   */
  checkOverload(): boolean {
    return this.loadShedder.checkOverload()
  }

  /**
   * Reserves capacity for a request of `network` with a body of `bytes`. Returns false if no capacity is left. Pass the
   * same `response` to release().
   */
  admit(response: object, network: string, bytes: number): boolean {
    const body = this.hasCapacityFor(network) ? this.bodyBytes.take(network, bytes) : undefined
    if (body?.state !== 'taken') {
      this.countRefusal()
      return false
    }
    this.loadShedder.acquire()
    this.inFlightByNetwork.add(network, 1)
    this.releases.set(response, () => {
      this.loadShedder.release()
      this.inFlightByNetwork.add(network, -1)
      body.release()
    })
    return true
  }

  /** Releases the capacity that admit() reserved. Idempotent. */
  release(response: object): void {
    this.releases.get(response)?.()
    this.releases.delete(response)
  }

  /** A network with few requests in flight may use a reserve when other networks have used up the limit. */
  private hasCapacityFor(network: string): boolean {
    const { loadShedder } = this
    if (loadShedder.checkOverload()) return false
    return (
      !loadShedder.isFull ||
      (!loadShedder.isReserveFull && this.inFlightByNetwork.of(network) < loadShedder.maxInFlightForReserve)
    )
  }

  /**
   * Calls `callback(true)` when the request may start, or `callback(false)` if it is refused, either synchronously or in a later
   * iteration of the event loop. The callback is not called if the connection closes before that. Clients are served round robin.
   */
  schedule(client: string, connection: Connection, callback: (mayStart: boolean) => void): void {
    const arrivedAt = performance.now()
    const isScheduled = this.scheduler.schedule(client, () => {
      if (connection.destroyed) return false
      const mayStart = !this.loadShedder.hasWaitedTooLong(arrivedAt)
      if (!mayStart) this.countRefusal()
      callback(mayStart)
      // If the scheduler gets `false`, it counts only a fraction of a started request, because a refusal takes little time.
      return mayStart
    })
    if (isScheduled) return
    this.countRefusal()
    callback(false)
  }

  private countRefusal(): void {
    this.refused += 1
    if (performance.now() - this.reportedAt < logIntervalMs) return
    this.logger.warn(
      { refused: this.refused },
      'Requests were refused: the server was overloaded, or reached a limit (requests in flight, queued requests, or body bytes)',
    )
    this.refused = 0
    this.reportedAt = performance.now()
  }
}

export interface AdmissionControlOptions {
  paths: readonly string[]
  /** Returns the client under which the request is queued: clients are served round robin. Called after authentication. */
  clientOf: (request: FastifyRequest) => string
  /**
   * Returns the network of the client: an IPv4 address, or the /64 prefix of an IPv6 address. What the request uses counts against the
   * limits of this network. Called before authentication.
   */
  networkOf: (request: IncomingMessage) => string
  /** Maximum size of a body; reserved in full if the size of the body is not known in advance */
  maxBodyBytes: number
}

/**
 * Applies admission control to requests on `paths`; all other requests pass. A request for which there is no capacity is refused
 * before its body is read. An admitted request is queued after the bytes of its body have been read (see bufferJsonBodies). Parsing
 * the JSON (see parseBufferedJsonBodies) and all later work, up to the first read that waits for the cache or the database, run in
 * the iteration that the scheduler chooses. The request is refused without parsing its body if its client has too many queued
 * requests, or if it has waited too long during overload.
 */
export function addAdmissionControl(
  server: FastifyInstance,
  admission: AdmissionController,
  options: AdmissionControlOptions,
): void {
  const { paths, clientOf, networkOf, maxBodyBytes } = options
  admission.trackConnections(server.server as Server)
  const isControlled = ({ routeOptions }: FastifyRequest) => paths.includes(String(routeOptions.url))
  server.addHook('onRequest', (request, reply, next) => {
    if (!isControlled(request)) return next()
    if (!admission.admit(reply.raw, networkOf(request.raw), maxBodyBytesOf(request.raw, maxBodyBytes)))
      return refuse(request, reply)
    onResponseClosed(reply.raw, () => admission.release(reply.raw))
    next()
  })
  server.addHook('preValidation', (request, reply, next) => {
    if (!isControlled(request)) return next()
    admission.schedule(clientOf(request), request.raw.socket, (mayStart) => (mayStart ? next() : refuse(request, reply)))
  })
  // The work of the request is done. Until the client has read the response, the response only takes memory. The class
  // SlowReaders limits how long, and how much.
  server.addHook('onSend', (_, { raw }, payload, next) => {
    admission.release(raw)
    next(null, payload)
  })
}

/** Returns the maximum size of the body according to the request's headers. */
function maxBodyBytesOf({ headers }: IncomingMessage, maxBytes: number): number {
  const { 'content-length': length, 'transfer-encoding': encoding } = headers
  if (length !== undefined) return Math.min(Number(length), maxBytes)
  return encoding === undefined ? 0 : maxBytes
}

function refuse({ id }: FastifyRequest, reply: FastifyReply): void {
  reply
    .code(503)
    .header('retry-after', '1')
    .send(requestError(overloadedMessage, 'OVERLOADED', id))
}

export const overloadedMessage = 'The server is overloaded, try again in a moment'
const logIntervalMs = 10_000
/** Target duration of an iteration of the event loop: about the time that one of the most expensive documents takes */
const targetIterationMs = 10
/**
 * Maximum number of queued requests per client. Mainly limits subscriptions over WebSocket, which take about 1 KB each while
 * queued. HTTP requests, including event streams, count as in flight while they are queued, so MAX_IN_FLIGHT usually limits them
 * first.
 */
const maxQueued = 10_000
/** Maximum total size of the bodies of all admitted requests */
const maxTotalBodyBytes = 64 * 1024 * 1024
