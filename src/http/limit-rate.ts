import type { FastifyReply, FastifyRequest } from 'fastify'
import { rateLimited } from '../graphql/errors.js'
import type { Budgets } from './budgets.js'
import { requestError } from './request-error.js'

/** Refuses clients that have used up their budget before anything is read of what they ask for. */
export function limitRate(budgets: Budgets, clientOf: (request: FastifyRequest) => string) {
  return async (request: FastifyRequest, reply: FastifyReply) => {
    const client = clientOf(request)
    await budgets.know(client)
    const seconds = budgets.secondsToWait(client)
    if (seconds === 0) return
    const { errors } = requestError(rateLimited(seconds).message, 'RATE_LIMITED', request.id)
    return reply
      .code(429)
      .header('retry-after', seconds)
      .send({ errors: errors.map((its) => ({ ...its, extensions: { ...its.extensions, retryAfterSeconds: seconds } })) })
  }
}
