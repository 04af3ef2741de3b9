import { HeaderMap } from '@apollo/server'
import { unwrapResolverError } from '@apollo/server/errors'
import { GraphQLError, type GraphQLFormattedError } from 'graphql'
import { challenge } from '../platform/auth/challenge.js'
import { truncate } from '../platform/truncate.js'

/** All codes of top-level errors of this server. docs/errors.md explains them; a test keeps both lists equal. */
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
  'LIMIT_EXCEEDED',
  'COST_LIMIT_EXCEEDED',
  'RATE_LIMITED',
  'INTROSPECTION_DISABLED',
  'SERVICE_UNAVAILABLE',
  'OVERLOADED',
  'DEADLINE_EXCEEDED',
  'INTERNAL_SERVER_ERROR',
] as const

export type ErrorCode = (typeof errorCodes)[number]

/** An invalid value in the request. */
export function badUserInput(message: string): GraphQLError {
  return withCode('BAD_USER_INPUT', message)
}

/** The operation requires a token and none was sent. */
export function unauthenticated(): GraphQLError {
  const message = 'A token is required: send the header Authorization: Bearer <token>'
  return new GraphQLError(message, { extensions: { code: 'UNAUTHENTICATED', ...http(401, { 'www-authenticate': challenge() }) } })
}

/**
 * The viewer is not allowed to do this. The error does not depend on whether the object exists, so it does not reveal which ids
 * exist.
 */
export function forbidden(): GraphQLError {
  return withCode('FORBIDDEN', 'Your token does not allow this')
}

/** A service that is needed for the response cannot be reached. */
export function serviceUnavailable(message: string): GraphQLError {
  return withCode('SERVICE_UNAVAILABLE', message)
}

/** A part of the request exceeds a limit. */
export function limitExceeded(limit: string, requested: number, maximum: number): GraphQLError {
  const message = `Limit exceeded: ${limit}: ${requested}, but at most ${maximum} are allowed`
  return new GraphQLError(message, { extensions: { code: 'LIMIT_EXCEEDED', limit, requested, maximum, ...http(400) } })
}

/** The request could cost more than the maximum of one request. */
export function costLimitExceeded(cost: { requested: number; maximum: number }): GraphQLError {
  const message = `The request could cost ${cost.requested} points, but at most ${cost.maximum} are allowed: request smaller pages or fewer fields`
  return new GraphQLError(message, { extensions: { code: 'COST_LIMIT_EXCEEDED', cost, ...http(400) } })
}

/** The client has used up its budget. */
export function rateLimited(retryAfterSeconds: number): GraphQLError {
  const message = `Your budget is used up: retry in ${retryAfterSeconds} s`
  const headers = { 'retry-after': String(retryAfterSeconds) }
  return new GraphQLError(message, { extensions: { code: 'RATE_LIMITED', retryAfterSeconds, ...http(429, headers) } })
}

export function introspectionDisabled(field: string): GraphQLError {
  const message = `${field} is not available: introspection is disabled. Use the SDL that the operators of this server publish`
  return new GraphQLError(message, { extensions: { code: 'INTROSPECTION_DISABLED' } })
}

/** The return type is `object`, because graphql-yoga, if it is installed beside Apollo, declares another type for `headers`. */
function http(status: number, headers: Readonly<Record<string, string>> = {}): { http: object } {
  return { http: { status, headers: new HeaderMap(Object.entries(headers)) } }
}

export function withCode(code: ErrorCode, message: string): GraphQLError {
  return new GraphQLError(message, { extensions: { code } })
}

/** Thrown if the row of an event was deleted before the event was published. The subscriber is not notified. */
export class DeletedError extends Error {
  override readonly name = 'DeletedError'
}

/**
 * Whether the error may be shown to the client: a GraphQLError of this server or of graphql-js. Any other error is a bug or an
 * outage.
 */
export function isPublic(thrown: unknown): boolean {
  return rootCause(thrown) instanceof GraphQLError
}

/**
 * Returns the error that was thrown originally. Apollo wraps errors thrown by a context function or a plugin in a GraphQLError
 * with the same message and without a code.
 */
export function rootCause(thrown: unknown): unknown {
  const error = unwrapResolverError(thrown)
  const isWrapped = error instanceof GraphQLError && error.originalError !== undefined && error.extensions.code === undefined
  return isWrapped ? error.originalError : error
}

/** An error that is neither a bug nor caused by the client. A service that this server needs is unreachable or overloaded. */
export interface OperationalError {
  code: ErrorCode
  message: string
  /** HTTP status, if the whole response counts as failed */
  status?: number
  /** Log level; a warning by default */
  level?: 'debug'
}

export interface ErrorFormatterOptions {
  /** Returns null for bugs. */
  describeOperationalError: (error: unknown) => OperationalError | null
  /** Whether error messages may suggest similar names from the schema */
  suggestsNames: boolean
}

/** Masks all errors that are not public. */
export function createErrorFormatter({ describeOperationalError, suggestsNames }: ErrorFormatterOptions) {
  return (formatted: GraphQLFormattedError, thrown: unknown): GraphQLFormattedError => {
    if (isPublic(thrown)) {
      const coded = withServerCode(formatted, thrown as GraphQLError)
      return { ...coded, message: truncate(suggestsNames ? coded.message : withoutSuggestion(coded.message)) }
    }
    const { code, message } = describeOperationalError(rootCause(thrown)) ?? internalError
    const { requestId } = formatted.extensions ?? {}
    return {
      message,
      ...(formatted.locations && { locations: formatted.locations }),
      ...(formatted.path && { path: formatted.path }),
      extensions: { code, ...(requestId !== undefined && { requestId }) },
    }
  }
}

/** Sets this server's error code if Apollo set no code, or a code of its own. */
function withServerCode(formatted: GraphQLFormattedError, thrown: GraphQLError): GraphQLFormattedError {
  if (formatted.message.startsWith(blockedByApollo)) return { ...withExtensionCode(formatted, 'BAD_REQUEST'), message: blocked }
  if (isUncodedRejection(thrown)) return withExtensionCode(formatted, 'BAD_REQUEST')
  const message = limitMessage(formatted.message)
  if (message !== undefined) return { ...withExtensionCode(formatted, 'LIMIT_EXCEEDED'), message }
  const code = (thrown.originalError as Partial<GraphQLError> | undefined)?.extensions?.code
  return typeof code === 'string' ? withExtensionCode(formatted, code) : formatted
}

/** How Apollo's message about a request that any page could have sent begins. Ours is shorter, and says where the reason is. */
const blockedByApollo = 'This operation has been blocked as a potential Cross-Site Request Forgery (CSRF)'
const blocked = `${blockedByApollo}, because a page of any site could have sent it. Send it by POST with content-type: application/json, or with the header apollo-require-preflight: true; docs/clients.md has the option of each client`

/** Rewords a message of graphql-js about a limit of graphql-js. Returns undefined for other messages. */
function limitMessage(message: string): string | undefined {
  const [, tokens] = /^Syntax Error: Document contains more that (\d+) tokens/.exec(message) ?? []
  if (tokens !== undefined) return `Limit exceeded: tokens: at most ${tokens} are allowed`
  const isAborted = message === 'Validation aborted.'
  return isAborted ? 'The document repeats fields so often that checking them for conflicts would take too long' : undefined
}

/** graphql-js appends similar names to messages about an unknown name. */
function withoutSuggestion(message: string): string {
  const start = message.endsWith('?') ? message.lastIndexOf(' Did you mean ') : -1
  return start === -1 ? message : message.slice(0, start)
}

/**
 * Whether Apollo rejected the request with a 4xx status and without a code, for example because of a persisted query with the
 * wrong hash. Apollo would report INTERNAL_SERVER_ERROR.
 */
function isUncodedRejection(thrown: GraphQLError): boolean {
  if (thrown.extensions.code !== undefined) return false
  const { status } = (thrown.extensions.http ?? {}) as { status?: number }
  return status !== undefined && status >= 400 && status < 500
}

function withExtensionCode(formatted: GraphQLFormattedError, code: string): GraphQLFormattedError {
  return { ...formatted, extensions: { ...formatted.extensions, code } }
}

const internalError: OperationalError = {
  code: 'INTERNAL_SERVER_ERROR',
  message: 'Internal server error: the server log has the details under the request id',
}
