import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { rateLimited } from '../../graphql/errors.js'
import { requestError } from '../request-error.js'
import type { Budgets } from './budgets.js'
import { limitedPoints, pointsOfBytes, refusedPoints } from './costs.js'
import { RequestSizes } from './request-size.js'

export interface LimitRateOptions {
  /** undefined for a request that is nobody's */
  clientOf: (request: FastifyRequest) => string | undefined
  /** Whose connections are those of all clients */
  isBehindProxy: boolean
}

/** Refuses clients that have used up their budget before anything is read of what they ask for. */
export function limitRate(budgets: Budgets, { clientOf, isBehindProxy }: LimitRateOptions) {
  return async (request: FastifyRequest, reply: FastifyReply) => {
    const client = clientOf(request)
    if (client === undefined) return
    await budgets.know(client)
    const seconds = budgets.secondsToWait(client)
    if (seconds === 0) return
    if (!budgets.isFarBeyond(client)) budgets.charge(client, limitedPoints)
    else if (!isBehindProxy) reply.header('connection', 'close')
    const { errors } = requestError(rateLimited(seconds).message, 'RATE_LIMITED', request.id)
    return reply
      .code(429)
      .header('retry-after', seconds)
      .send({ errors: errors.map((its) => ({ ...its, extensions: { ...its.extensions, retryAfterSeconds: seconds } })) })
  }
}

/** Charges requests at these paths for what it took to read them, and everything that is refused, tokens that are not good included. */
export function chargeReading(
  server: FastifyInstance,
  budgets: Budgets,
  { paths, clientOf }: { paths: readonly string[]; clientOf: (request: FastifyRequest) => string },
): void {
  const sizes = new RequestSizes()
  const charged = new WeakSet<FastifyRequest>()
  const isRead = ({ routeOptions: { url = '' } }: FastifyRequest) => paths.includes(url)
  const chargeBytes = (request: FastifyRequest) => {
    if (!isRead(request) || charged.has(request)) return
    charged.add(request)
    budgets.charge(clientOf(request), pointsOfBytes(sizes.of(request.raw)))
  }
  server.addHook('preParsing', (request, _, payload, next) => {
    sizes.count(request.raw)
    next(null, payload)
  })
  // Also where the client goes before it has an answer
  server.addHook('preValidation', (request, _, next) => {
    chargeBytes(request)
    next()
  })
  server.addHook('onResponse', (request, { statusCode }, done) => {
    chargeBytes(request)
    const isRefused = isRead(request) ? statusCode >= 400 && statusCode < 500 && statusCode !== 429 : statusCode === 401
    if (isRefused) budgets.charge(clientOf(request), refusedPoints)
    done()
  })
}
