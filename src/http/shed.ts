import type { FastifyInstance } from 'fastify'
import type { Load } from './load.js'
import { requestError } from './request-error.js'

/** Refuses requests at that path, in the shortest way, while there is more to do than can be done. Everything else goes on. */
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
  server.addHook('onRequest', (request, reply, next) => {
    if (request.routeOptions.url !== path) return next()
    if (load.isLate || load.isFull) {
      report()
      return reply
        .code(503)
        .header('retry-after', '1')
        .send(requestError(message, 'OVERLOADED', request.id))
    }
    load.enter()
    reply.raw.once('close', () => load.leave())
    return next()
  })
}

const message = 'There is more to do than this server can do, try again in a moment'
const reportEveryMs = 10_000
