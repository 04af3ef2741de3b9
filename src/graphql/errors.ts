import { HeaderMap } from '@apollo/server'
import { unwrapResolverError } from '@apollo/server/errors'
import { GraphQLError, type GraphQLFormattedError } from 'graphql'
import { challenge } from '../auth/challenge.js'

/** Every code of a top-level error that this server gives. docs/errors.md says what they mean, and a test keeps the two equal. */
export const errorCodes = [
  'BAD_REQUEST',
  'NOT_FOUND',
  'GRAPHQL_PARSE_FAILED',
  'GRAPHQL_VALIDATION_FAILED',
  'OPERATION_RESOLUTION_FAILURE',
  'PERSISTED_QUERY_NOT_FOUND',
  'PERSISTED_QUERY_NOT_SUPPORTED',
  'PERSISTED_QUERY_NOT_IN_LIST',
  'QUERY_NOT_IN_SAFELIST',
  'BAD_USER_INPUT',
  'UNAUTHENTICATED',
  'FORBIDDEN',
  'STREAM_REQUIRED',
  'SUBSCRIPTIONS_ONLY',
  'TOO_MANY_CONNECTIONS',
  'TOO_MANY_SUBSCRIPTIONS',
  'SERVICE_UNAVAILABLE',
  'OVERLOADED',
  'DEADLINE_EXCEEDED',
  'INTERNAL_SERVER_ERROR',
] as const

export type ErrorCode = (typeof errorCodes)[number]

/** A fault of the request, for its author to mend. */
export function badUserInput(message: string): GraphQLError {
  return withCode('BAD_USER_INPUT', message)
}

/** It takes a token, and none was sent. */
export function unauthenticated(): GraphQLError {
  const http = { status: 401, headers: new HeaderMap([['www-authenticate', challenge()]]) }
  const message = 'This needs a token: send the header Authorization: Bearer <token>'
  return new GraphQLError(message, { extensions: { code: 'UNAUTHENTICATED', http } })
}

/** Not for the one who asks. The same whether or not what was named exists. */
export function forbidden(): GraphQLError {
  return withCode('FORBIDDEN', 'Your token does not allow this')
}

/** Something outside this process is needed for the answer and does not answer. */
export function serviceUnavailable(message: string): GraphQLError {
  return withCode('SERVICE_UNAVAILABLE', message)
}

export function withCode(code: ErrorCode, message: string): GraphQLError {
  return new GraphQLError(message, { extensions: { code } })
}

/** What a subscriber was to be told of is there no longer: there is nothing to tell. */
export class GoneError extends Error {
  override readonly name = 'GoneError'
}

/** Meant for the client: written as such, or found by graphql itself. Anything else is a bug or an outage. */
export function isPublic(thrown: unknown): boolean {
  return rootOf(thrown) instanceof GraphQLError
}

/** What went wrong at first. Apollo wraps what no resolver threw (a context, a plugin) without a code, but with its text. */
export function rootOf(thrown: unknown): unknown {
  const error = unwrapResolverError(thrown)
  const isWrapped = error instanceof GraphQLError && error.originalError !== undefined && error.extensions.code === undefined
  return isWrapped ? error.originalError : error
}

/** Not the client's fault and no bug: something that this server needs is away or busy. */
export interface Fault {
  code: ErrorCode
  message: string
  /** HTTP status, where the whole answer is to be taken for a failure */
  status?: number
  /** How it is logged: as a warning, unless it is part of every day */
  level?: 'debug'
}

/** Masks what was not written for the client. `describeFault` knows the faults that are no bugs. */
export function createErrorFormatter(describeFault: (error: unknown) => Fault | null) {
  return (formatted: GraphQLFormattedError, thrown: unknown): GraphQLFormattedError => {
    if (isPublic(thrown)) return isUncodedRefusal(thrown) ? coded(formatted, 'BAD_REQUEST') : formatted
    const { code, message } = describeFault(rootOf(thrown)) ?? bug
    const { requestId } = formatted.extensions ?? {}
    return {
      message,
      ...(formatted.locations && { locations: formatted.locations }),
      ...(formatted.path && { path: formatted.path }),
      extensions: { code, ...(requestId !== undefined && { requestId }) },
    }
  }
}

/** Apollo refuses some requests (a persisted query with the wrong hash, say) without a code, and would call them its own fault. */
function isUncodedRefusal(thrown: unknown): boolean {
  if (!(thrown instanceof GraphQLError) || thrown.extensions.code !== undefined) return false
  const { status } = (thrown.extensions.http ?? {}) as { status?: number }
  return status !== undefined && status >= 400 && status < 500
}

function coded(formatted: GraphQLFormattedError, code: ErrorCode): GraphQLFormattedError {
  return { ...formatted, extensions: { ...formatted.extensions, code } }
}

const bug: Fault = { code: 'INTERNAL_SERVER_ERROR', message: 'Internal server error, the request id leads to the log' }
