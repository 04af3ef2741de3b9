import type { Server } from 'node:http'
import type { FastifyBaseLogger, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Load } from './load.js'
import { requestError } from './request-error.js'
import { onResponseClosed } from './response-closed.js'
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
  private readonly inside = new WeakSet<object>()
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

  /** Whether there is room for another, which has to leave again. */
  enter(work: object): boolean {
    if (this.load.isLate || this.load.isFull) {
      this.report()
      return false
    }
    this.load.enter()
    this.inside.add(work)
    return true
  }

  /** Done once, however often it is called. */
  leave(work: object): void {
    if (this.inside.delete(work)) this.load.leave()
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
}

/**
 * Lets requests at these paths begin when there is time for them, and refuses the others in the shortest way. Everything else goes on. A
 * request waits when it has been read: what follows, from its JSON to the first thing that it loads, is then done in its turn.
 */
export function shed(server: FastifyInstance, shedder: Shedder, { paths, clientOf }: ShedOptions): void {
  shedder.watch(server.server as Server)
  const isConcerned = ({ routeOptions }: FastifyRequest) => paths.includes(String(routeOptions.url))
  server.addHook('onRequest', (request, reply, next) => {
    if (!isConcerned(request)) return next()
    if (!shedder.enter(reply.raw)) return refuse(request, reply)
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
/** Of one client: each keeps some kilobytes. */
const maxWaiting = 1_000
