import type { IncomingMessage, Server } from 'node:http'
import type { FastifyBaseLogger, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { onResponseClosed } from '../connections/response-closed.js'
import { AddressCounts } from '../limits/address-counts.js'
import { AddressLimit } from '../limits/address-limit.js'
import { requestError } from '../request-error.js'
import type { Load } from './load.js'
import { Turns } from './turns.js'

/** Whether the one who asked is still there */
interface Asker {
  readonly destroyed: boolean
}

/**
 * Lets whatever has to be parsed and executed begin a few at a time, and refuses it while there is more to do than can be done. One for all
 * protocols of a process.
 */
export class Shedder {
  private readonly turns = new Turns({ longMs: longTurnMs, maxWaiting, now: () => performance.now() })
  private readonly places = new AddressCounts()
  private readonly bytes = new AddressLimit({ max: maxBodiesBytes, maxPerAddress: maxBodiesBytes / 2 })
  private readonly releases = new WeakMap<object, () => void>()
  private refused = 0
  private reportedAt = Number.NEGATIVE_INFINITY

  constructor(
    private readonly load: Load,
    private readonly logger: FastifyBaseLogger,
  ) {}

  /** So that new connections are taken soon */
  watch(server: Server): void {
    server.on('connection', () => this.turns.connected())
  }

  /** Whether this turn of the event loop has no time even for what is done at once */
  get isLate(): boolean {
    return this.load.isLate
  }

  /** Whether there is room for another request from this network, with a body of so many bytes. It has to leave again. */
  enter(work: object, network: string, bytes: number): boolean {
    const body = this.hasPlaceFor(network) ? this.bytes.take(network, bytes) : undefined
    if (body?.state !== 'taken') {
      this.report()
      return false
    }
    this.load.enter()
    this.places.add(network, 1)
    this.releases.set(work, () => {
      this.load.leave()
      this.places.add(network, -1)
      body.release()
    })
    return true
  }

  /** Done once, however often it is called. */
  leave(work: object): void {
    this.releases.get(work)?.()
    this.releases.delete(work)
  }

  /** A network that has hardly any places gets one even where others have taken them all. */
  private hasPlaceFor(network: string): boolean {
    const { load } = this
    if (load.isLate) return false
    return !load.isFull || (!load.isOverfull && this.places.of(network) < load.fewPlaces)
  }

  /**
   * Calls back, at once or in a later turn, with whether there was time for it; never, where the one who asked has gone by then. The
   * requests of one client take turns with those of others.
   */
  wait(client: string, asker: Asker, callback: (begins: boolean) => void): void {
    const arrivedAt = performance.now()
    const isWaiting = this.turns.wait(client, () => {
      if (asker.destroyed) return false
      const begins = !this.load.isTooLateFor(arrivedAt)
      if (!begins) this.report()
      callback(begins)
      return begins
    })
    if (isWaiting) return
    this.report()
    callback(false)
  }

  private report(): void {
    this.refused += 1
    if (performance.now() - this.reportedAt < reportEveryMs) return
    this.logger.warn({ refused: this.refused }, 'overloaded: requests were refused since the last report')
    this.refused = 0
    this.reportedAt = performance.now()
  }
}

export interface ShedOptions {
  paths: readonly string[]
  clientOf: (request: FastifyRequest) => string
  networkOf: (request: IncomingMessage) => string
  /** Of any body */
  maxBodyBytes: number
}

/**
 * Lets requests at these paths begin when there is time for them, and refuses the others in the shortest way. Everything else goes on. A
 * request waits when it has been read: what follows, from its JSON to the first thing that it loads, is then done in its turn.
 */
export function shed(server: FastifyInstance, shedder: Shedder, options: ShedOptions): void {
  const { paths, clientOf, networkOf, maxBodyBytes } = options
  shedder.watch(server.server as Server)
  const isConcerned = ({ routeOptions }: FastifyRequest) => paths.includes(String(routeOptions.url))
  server.addHook('onRequest', (request, reply, next) => {
    if (!isConcerned(request)) return next()
    if (!shedder.enter(reply.raw, networkOf(request.raw), bytesOf(request.raw, maxBodyBytes))) return refuse(request, reply)
    onResponseClosed(reply.raw, () => shedder.leave(reply.raw))
    next()
  })
  server.addHook('preValidation', (request, reply, next) => {
    if (!isConcerned(request)) return next()
    shedder.wait(clientOf(request), request.raw.socket, (begins) => (begins ? next() : refuse(request, reply)))
  })
  // An answer that waits for its reader needs memory (see SlowReaders), and nothing else.
  server.addHook('onSend', (_, { raw }, payload, next) => {
    shedder.leave(raw)
    next(null, payload)
  })
}

/** That its body may take, as far as the head tells */
function bytesOf({ headers }: IncomingMessage, maxBytes: number): number {
  const { 'content-length': length, 'transfer-encoding': encoding } = headers
  if (length !== undefined) return Math.min(Number(length), maxBytes)
  return encoding === undefined ? 0 : maxBytes
}

function refuse({ id }: FastifyRequest, reply: FastifyReply): void {
  reply
    .code(503)
    .header('retry-after', '1')
    .send(requestError(overloaded, 'OVERLOADED', id))
}

export const overloaded = 'There is more to do than this server can do, try again in a moment'
const reportEveryMs = 10_000
/** One of the dearest documents */
const longTurnMs = 10
/** Of one client. Requests need a place, too; each subscription that begins keeps a kilobyte. */
const maxWaiting = 10_000
/** Of requests that are being received, or wait for their turn */
const maxBodiesBytes = 64 * 1024 * 1024
