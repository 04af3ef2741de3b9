import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { rateLimited } from '../../graphql/errors.js'
import { requestError } from '../request-error.js'
import type { Budgets } from './budgets.js'
import { pointsOfBytes, rateLimitedPoints, refusedPoints } from './costs.js'
import { RequestSizes } from './request-size.js'

export interface LimitRateOptions {
  /** Returns undefined if the request is not limited. */
  clientOf: (request: FastifyRequest) => string | undefined
  /** Behind a proxy, a connection carries requests of many clients, so the connection is not closed because of one client. */
  isBehindProxy: boolean
}

/** Returns a hook that refuses requests of clients whose budget is used up, before the body is read. */
export function limitRate(budgets: Budgets, { clientOf, isBehindProxy }: LimitRateOptions) {
  return async (request: FastifyRequest, reply: FastifyReply) => {
    const client = clientOf(request)
    if (client === undefined) return
    await budgets.ensureSynced(client)
    const seconds = budgets.secondsToWait(client)
    if (seconds === 0) return
    if (!budgets.isFarOverdrawn(client)) budgets.charge(client, rateLimitedPoints)
    else if (!isBehindProxy) reply.header('connection', 'close')
    const { errors } = requestError(rateLimited(seconds).message, 'RATE_LIMITED', request.id)
    return reply
      .code(429)
      .header('retry-after', seconds)
      .send({ errors: errors.map((error) => ({ ...error, extensions: { ...error.extensions, retryAfterSeconds: seconds } })) })
  }
}

/**
 * Charges requests on `paths` for the bytes that were read, and again if they are refused. On all other paths, only requests with
 * an invalid token are charged.
 */
export function chargeRequestBytesAndRefusals(
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
  // Charging the bytes in onResponse alone would not suffice, because the client may disconnect before the response.
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
