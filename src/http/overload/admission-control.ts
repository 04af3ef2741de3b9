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
 * Starts requests a few at a time, and refuses them while the process is overloaded. One instance serves all protocols of a
 * process: HTTP, event streams and WebSocket.
 */
export class AdmissionController {
  private readonly scheduler = new RequestScheduler({ targetIterationMs, maxWaiting, now: () => performance.now() })
  private readonly inFlightByNetwork = new AddressCounts()
  private readonly bodyBytes = new AddressLimit({ max: maxTotalBodyBytes, maxPerAddress: maxTotalBodyBytes / 2 })
  private readonly releases = new WeakMap<object, () => void>()
  private refused = 0
  private reportedAt = Number.NEGATIVE_INFINITY

  constructor(
    private readonly loadShedder: LoadShedder,
    private readonly logger: FastifyBaseLogger,
  ) {}

  /** Lets the scheduler leave time for new connections. */
  trackConnections(server: Server): void {
    server.on('connection', () => this.scheduler.onConnection())
  }

  /** Whether this iteration of the event loop has no time for another request, not even for one that waits for nothing */
  get isOverloaded(): boolean {
    return this.loadShedder.isOverloaded
  }

  /**
   * Reserves capacity for a request of this network with a body of that many bytes; returns false if there is none. `work`
   * identifies the request; release() must be called with it.
   */
  admit(work: object, network: string, bytes: number): boolean {
    const body = this.hasCapacityFor(network) ? this.bodyBytes.take(network, bytes) : undefined
    if (body?.state !== 'taken') {
      this.countRefusal()
      return false
    }
    this.loadShedder.acquire()
    this.inFlightByNetwork.add(network, 1)
    this.releases.set(work, () => {
      this.loadShedder.release()
      this.inFlightByNetwork.add(network, -1)
      body.release()
    })
    return true
  }

  /** Idempotent */
  release(work: object): void {
    this.releases.get(work)?.()
    this.releases.delete(work)
  }

  /** A network with few requests in flight is admitted even if others have used up the limit. */
  private hasCapacityFor(network: string): boolean {
    const { loadShedder } = this
    if (loadShedder.isOverloaded) return false
    return (
      !loadShedder.isFull ||
      (!loadShedder.isReserveFull && this.inFlightByNetwork.of(network) < loadShedder.maxInFlightForReserve)
    )
  }

  /**
   * Calls back when the request may start, with true, or is refused, with false: at once or in a later iteration of the event
   * loop. Does not call back if the connection was closed by then. Clients are served round robin.
   */
  schedule(client: string, connection: Connection, callback: (isAdmitted: boolean) => void): void {
    const arrivedAt = performance.now()
    const isScheduled = this.scheduler.schedule(client, () => {
      if (connection.destroyed) return false
      const isAdmitted = !this.loadShedder.hasWaitedTooLong(arrivedAt)
      if (!isAdmitted) this.countRefusal()
      callback(isAdmitted)
      return isAdmitted
    })
    if (isScheduled) return
    this.countRefusal()
    callback(false)
  }

  private countRefusal(): void {
    this.refused += 1
    if (performance.now() - this.reportedAt < logIntervalMs) return
    this.logger.warn({ refused: this.refused }, 'overloaded: refused requests since the last report')
    this.refused = 0
    this.reportedAt = performance.now()
  }
}

export interface AdmissionControlOptions {
  paths: readonly string[]
  clientOf: (request: FastifyRequest) => string
  networkOf: (request: IncomingMessage) => string
  /** Upper limit for bodies whose size is not known in advance */
  maxBodyBytes: number
}

/**
 * Applies admission control to requests at these paths; all other requests pass. A refusal is sent before anything else is done
 * with the request. An admitted request is queued after its body has been read: everything that follows, from parsing the JSON to
 * the first load, then runs in the iteration that the scheduler chooses.
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
    admission.schedule(clientOf(request), request.raw.socket, (isAdmitted) => (isAdmitted ? next() : refuse(request, reply)))
  })
  // From here on, the response only takes memory while its client reads it (see SlowReaders).
  server.addHook('onSend', (_, { raw }, payload, next) => {
    admission.release(raw)
    next(null, payload)
  })
}

/** The most that the body can take, according to the request head */
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
/** About the time that one of the most expensive documents takes */
const targetIterationMs = 10
/**
 * Per client. It bounds mainly subscriptions, about 1 KB each while they wait to start: requests are also bounded by the limit in
 * flight.
 */
const maxWaiting = 10_000
/** Of all requests that are being received or are waiting to start */
const maxTotalBodyBytes = 64 * 1024 * 1024
