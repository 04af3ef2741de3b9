import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { rateLimited } from '../graphql/errors.js'
import type { Budgets } from './budgets.js'
import { limitedPoints, pointsOfBytes, refusedPoints } from './costs.js'
import { requestError } from './request-error.js'
import { RequestSizes } from './request-size.js'

/** Refuses clients that have used up their budget before anything is read of what they ask for; `undefined` is nobody's request. */
export function limitRate(budgets: Budgets, clientOf: (request: FastifyRequest) => string | undefined) {
  return async (request: FastifyRequest, reply: FastifyReply) => {
    const client = clientOf(request)
    if (client === undefined) return
    await budgets.know(client)
    const seconds = budgets.secondsToWait(client)
    if (seconds === 0) return
    if (budgets.isFarBeyond(client)) reply.header('connection', 'close')
    else budgets.charge(client, limitedPoints)
    const { errors } = requestError(rateLimited(seconds).message, 'RATE_LIMITED', request.id)
    return reply
      .code(429)
      .header('retry-after', seconds)
      .send({ errors: errors.map((its) => ({ ...its, extensions: { ...its.extensions, retryAfterSeconds: seconds } })) })
  }
}

/** Charges requests at these paths for what it takes to read them, and everything that is refused, tokens that are not good included. */
export function chargeReading(
  server: FastifyInstance,
  budgets: Budgets,
  { paths, clientOf }: { paths: readonly string[]; clientOf: (request: FastifyRequest) => string },
): void {
  const sizes = new RequestSizes()
  server.addHook('preParsing', (request, _, payload, next) => {
    sizes.count(request.raw)
    next(null, payload)
  })
  server.addHook('onResponse', (request, { statusCode }, done) => {
    const isRead = paths.includes(request.routeOptions.url ?? '')
    const isRefused = isRead ? statusCode >= 400 && statusCode < 500 && statusCode !== 429 : statusCode === 401
    const points = (isRead ? pointsOfBytes(sizes.of(request.raw)) : 0) + (isRefused ? refusedPoints : 0)
    if (points > 0) budgets.charge(clientOf(request), points)
    done()
  })
}
