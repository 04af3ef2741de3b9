import { type ApolloServerPlugin, HeaderMap } from '@apollo/server'
import type { FastifyBaseLogger } from 'fastify'
import type { Context } from '../../graphql/context.js'
import { isPublic, type OperationalError, rootCause } from '../../graphql/errors.js'

/** Adds the request id to every error, and logs the errors that are masked for the client. */
export function logErrors(
  logger: FastifyBaseLogger,
  describeOperationalError: (error: unknown) => OperationalError | null,
): ApolloServerPlugin<Context> {
  return {
    async contextCreationDidFail({ error }) {
      if (!isPublic(error)) logger.error({ err: error }, 'failed to create the context of a request')
    },
    // Called for example for an error thrown by a plugin. Apollo logs such errors without stack and request id.
    async unexpectedErrorProcessingRequest({ error, requestContext: { contextValue } }) {
      logger.error({ requestId: contextValue.requestId, err: error }, 'request failed')
    },
    async requestDidStart() {
      return {
        async didEncounterErrors({ errors, contextValue: { requestId }, operationName }) {
          for (const error of errors) {
            error.extensions.requestId = requestId
            if (isPublic(error)) continue
            const operational = describeOperationalError(rootCause(error))
            if (operational?.status)
              error.extensions.http = { status: operational.status, headers: new HeaderMap([['retry-after', '1']]) }
            const details = { requestId, operationName, path: error.path, err: error.originalError ?? error }
            if (operational) logger[operational.level ?? 'warn']({ ...details, err: undefined }, error.message)
            else logger.error(details, error.message)
          }
        },
      }
    },
  }
}
