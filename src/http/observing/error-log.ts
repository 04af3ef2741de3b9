import { type ApolloServerPlugin, HeaderMap } from '@apollo/server'
import type { FastifyBaseLogger } from 'fastify'
import type { Context } from '../../graphql/context.js'
import { type Fault, isPublic, rootOf } from '../../graphql/errors.js'

/** Gives every error the id of its request, and logs the ones that the client only gets to see masked. */
export function logErrors(
  logger: FastifyBaseLogger,
  describeFault: (error: unknown) => Fault | null,
): ApolloServerPlugin<Context> {
  return {
    async contextCreationDidFail({ error }) {
      if (!isPublic(error)) logger.error({ err: error }, 'no context for a request')
    },
    // Thrown by a plugin, say; Apollo itself tells neither where nor for whom.
    async unexpectedErrorProcessingRequest({ error, requestContext: { contextValue } }) {
      logger.error({ requestId: contextValue.requestId, err: error }, 'request failed')
    },
    async requestDidStart() {
      return {
        async didEncounterErrors({ errors, contextValue: { requestId }, operationName }) {
          for (const error of errors) {
            error.extensions.requestId = requestId
            if (isPublic(error)) continue
            const fault = describeFault(rootOf(error))
            if (fault?.status) error.extensions.http = { status: fault.status, headers: new HeaderMap([['retry-after', '1']]) }
            const details = { requestId, operationName, path: error.path, err: error.originalError ?? error }
            if (fault) logger[fault.level ?? 'warn']({ ...details, err: undefined }, error.message)
            else logger.error(details, error.message)
          }
        },
      }
    },
  }
}
