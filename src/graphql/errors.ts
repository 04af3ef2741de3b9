import { unwrapResolverError } from '@apollo/server/errors'
import { GraphQLError, type GraphQLFormattedError } from 'graphql'

/** A fault of the request, for its author to mend. */
export function badUserInput(message: string): GraphQLError {
  return new GraphQLError(message, { extensions: { code: 'BAD_USER_INPUT' } })
}

/** Something outside this process is needed for the answer and does not answer. */
export function serviceUnavailable(message: string): GraphQLError {
  return new GraphQLError(message, { extensions: { code: 'SERVICE_UNAVAILABLE' } })
}

/** Meant for the client: written as such, or found by graphql itself. Anything else is a bug or an outage. */
export function isPublic(thrown: unknown): boolean {
  return unwrapResolverError(thrown) instanceof GraphQLError
}

/** Masks what was not written for the client. `isOutage` tells whether the fault lies in a server that this one needs. */
export function createErrorFormatter(isOutage: (error: unknown) => boolean) {
  return (formatted: GraphQLFormattedError, thrown: unknown): GraphQLFormattedError => {
    if (isPublic(thrown)) return formatted
    const masked = isOutage(unwrapResolverError(thrown))
      ? { message: 'The database cannot be reached, try again later', code: 'SERVICE_UNAVAILABLE' }
      : { message: 'Internal server error, the request id leads to the log', code: 'INTERNAL_SERVER_ERROR' }
    const { requestId } = formatted.extensions ?? {}
    return {
      message: masked.message,
      ...(formatted.locations && { locations: formatted.locations }),
      ...(formatted.path && { path: formatted.path }),
      extensions: { code: masked.code, ...(requestId !== undefined && { requestId }) },
    }
  }
}
