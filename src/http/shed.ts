import type { FastifyInstance } from 'fastify'
import { EndsOfAnswers } from './ends-of-answers.js'
import type { Load } from './load.js'
import { requestError } from './request-error.js'
import { Turns } from './turns.js'

/**
 * Lets requests at that path begin a few at a time, and refuses them, in the shortest way, while there is more to do than can be done.
 * Everything else goes on.
 */
export function shed(server: FastifyInstance, load: Load, path: string): void {
  let refused = 0
  let reportedAt = Number.NEGATIVE_INFINITY
  const report = () => {
    refused += 1
    if (performance.now() - reportedAt < reportEveryMs) return
    server.log.warn({ refused }, 'overloaded: requests were refused since the last report')
    refused = 0
    reportedAt = performance.now()
  }
  const turns = new Turns({ longMs: longTurnMs, now: () => performance.now() })
  const ends = new EndsOfAnswers()
  server.addHook('onRequest', (request, reply, next) => {
    if (request.routeOptions.url !== path) return next()
    const refuse = () => {
      report()
      return reply
        .code(503)
        .header('retry-after', '1')
        .send(requestError(message, 'OVERLOADED', request.id))
    }
    if (load.isLate || load.isFull) return refuse()
    load.enter()
    ends.callOnce(reply.raw, request.raw.socket, () => load.leave())
    const arrivedAt = performance.now()
    turns.wait(() => {
      if (request.raw.socket.destroyed) return false
      const begins = !load.isTooLateFor(arrivedAt)
      if (begins) next()
      else refuse()
      return begins
    })
  })
}

const message = 'There is more to do than this server can do, try again in a moment'
const reportEveryMs = 10_000
/** Two of the dearest documents */
const longTurnMs = 20
