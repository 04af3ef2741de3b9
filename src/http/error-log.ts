import type { ApolloServerPlugin } from '@apollo/server'
import type { FastifyBaseLogger } from 'fastify'
import type { Context } from '../graphql/context.js'
import { isPublic } from '../graphql/errors.js'

/** Gives every error the id of its request, and logs the ones that the client only gets to see masked. */
export function logErrors(logger: FastifyBaseLogger): ApolloServerPlugin<Context> {
  return {
    async requestDidStart() {
      return {
        async didEncounterErrors({ errors, contextValue: { requestId }, operationName }) {
          for (const error of errors) {
            error.extensions.requestId = requestId
            if (!isPublic(error))
              logger.error({ requestId, operationName, path: error.path, err: error.originalError ?? error }, error.message)
          }
        },
      }
    },
  }
}
