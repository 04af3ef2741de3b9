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

/** Not the client's fault and no bug: something that this server needs is away or busy. */
export interface Fault {
  code: string
  message: string
  /** HTTP status, where the whole answer is to be taken for a failure */
  status?: number
}

/** Masks what was not written for the client. `describeFault` knows the faults that are no bugs. */
export function createErrorFormatter(describeFault: (error: unknown) => Fault | null) {
  return (formatted: GraphQLFormattedError, thrown: unknown): GraphQLFormattedError => {
    if (isPublic(thrown)) return formatted
    const { code, message } = describeFault(unwrapResolverError(thrown)) ?? bug
    const { requestId } = formatted.extensions ?? {}
    return {
      message,
      ...(formatted.locations && { locations: formatted.locations }),
      ...(formatted.path && { path: formatted.path }),
      extensions: { code, ...(requestId !== undefined && { requestId }) },
    }
  }
}

const bug: Fault = { code: 'INTERNAL_SERVER_ERROR', message: 'Internal server error, the request id leads to the log' }
