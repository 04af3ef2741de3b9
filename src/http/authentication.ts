import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { forbidden, unauthenticated } from '../graphql/errors.js'
import type { Authenticator } from '../platform/auth/authenticator.js'
import { challenge } from '../platform/auth/challenge.js'
import { InvalidTokenError, KeysUnavailableError } from '../platform/auth/errors.js'
import type { Viewer } from '../platform/auth/viewer.js'
import { requestError } from './request-error.js'

declare module 'fastify' {
  interface FastifyRequest {
    /** Set by the hook of addAuthentication() before any handler runs */
    viewer: Viewer
  }
}

/**
 * Adds a hook that sets the viewer of every request. Refuses requests with an invalid token instead of treating them as
 * anonymous.
 */
export function addAuthentication(server: FastifyInstance, authenticator: Authenticator): void {
  server.decorateRequest('viewer')
  server.addHook('onRequest', async (request, reply) => {
    const { authorization } = request.headers
    try {
      request.viewer = authenticator.findCached(authorization) ?? (await authenticator.authenticate(authorization)).viewer
    } catch (error) {
      return refuse(reply, error, request.id)
    }
  })
}

/**
 * A hook that refuses all viewers except administrators, for routes other than GraphQL. Must run after the hook of
 * addAuthentication().
 */
export async function administratorsOnly({ viewer, id }: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> {
  if (viewer.role === 'admin') return undefined
  if (viewer.role === 'customer') return reply.code(403).send(requestError(forbidden().message, 'FORBIDDEN', id))
  const body = requestError(unauthenticated().message, 'UNAUTHENTICATED', id)
  return reply.code(401).header('www-authenticate', challenge()).send(body)
}

function refuse(reply: FastifyReply, error: unknown, requestId: string): FastifyReply {
  if (error instanceof InvalidTokenError) {
    const body = requestError(error.message, 'UNAUTHENTICATED', requestId)
    return reply.code(401).header('www-authenticate', challenge(error.message)).send(body)
  }
  if (error instanceof KeysUnavailableError) {
    return reply
      .code(503)
      .header('retry-after', '1')
      .send(requestError(error.message, 'SERVICE_UNAVAILABLE', requestId))
  }
  throw error
}
