import { HeaderMap } from '@apollo/server'
import { unwrapResolverError } from '@apollo/server/errors'
import { GraphQLError, type GraphQLFormattedError } from 'graphql'
import { challenge } from '../platform/auth/challenge.js'
import { truncate } from '../platform/truncate.js'

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

/** Something of the request is larger than is allowed. */
export function limitExceeded(limit: string, requested: number, maximum: number): GraphQLError {
  const message = `The limit of ${limit} is ${maximum}, and this has ${requested}`
  return new GraphQLError(message, { extensions: { code: 'LIMIT_EXCEEDED', limit, requested, maximum, ...http(400) } })
}

/** It could cost more than any request may. */
export function costLimitExceeded(cost: { requested: number; maximum: number }): GraphQLError {
  const message = `This could cost ${cost.requested} points, and ${cost.maximum} are allowed: ask for smaller pages, or for less`
  return new GraphQLError(message, { extensions: { code: 'COST_LIMIT_EXCEEDED', cost, ...http(400) } })
}

/** The client has used up what its requests may cost for now. */
export function rateLimited(retryAfterSeconds: number): GraphQLError {
  const message = `Your requests have cost as much as they may for now: wait ${retryAfterSeconds} s`
  const headers = { 'retry-after': String(retryAfterSeconds) }
  return new GraphQLError(message, { extensions: { code: 'RATE_LIMITED', retryAfterSeconds, ...http(429, headers) } })
}

export function introspectionDisabled(field: string): GraphQLError {
  const message = `${field} is not available: this server does not tell its schema. Use the SDL that its operators publish`
  return new GraphQLError(message, { extensions: { code: 'INTROSPECTION_DISABLED' } })
}

function http(status: number, headers: Readonly<Record<string, string>> = {}) {
  return { http: { status, headers: new HeaderMap(Object.entries(headers)) } }
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

export interface ErrorFormatterOptions {
  /** Knows the faults that are no bugs. */
  describeFault: (error: unknown) => Fault | null
  /** Whether a mistaken name is answered with those that resemble it */
  suggests: boolean
}

/** Masks what was not written for the client. */
export function createErrorFormatter({ describeFault, suggests }: ErrorFormatterOptions) {
  return (formatted: GraphQLFormattedError, thrown: unknown): GraphQLFormattedError => {
    if (isPublic(thrown)) {
      const its = recoded(formatted, thrown as GraphQLError)
      return { ...its, message: truncate(suggests ? its.message : withoutSuggestion(its.message)) }
    }
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

/** With the code of what was refused, where Apollo has none for it or has put its own in the place of ours. */
function recoded(formatted: GraphQLFormattedError, thrown: GraphQLError): GraphQLFormattedError {
  if (isUncodedRefusal(thrown)) return coded(formatted, 'BAD_REQUEST')
  const tooMuch = tooMuchFor(formatted.message)
  if (tooMuch !== undefined) return { ...coded(formatted, 'LIMIT_EXCEEDED'), message: tooMuch }
  const code = (thrown.originalError as Partial<GraphQLError> | undefined)?.extensions?.code
  return typeof code === 'string' ? coded(formatted, code) : formatted
}

/** graphql-js has limits of its own, and tells of them like this. */
function tooMuchFor(message: string): string | undefined {
  const [, tokens] = /^Syntax Error: Document contains more that (\d+) tokens/.exec(message) ?? []
  if (tokens !== undefined) return `The limit of tokens is ${tokens}, and this document has more`
  const isAborted = message === 'Validation aborted.'
  return isAborted ? 'This document repeats fields so often that comparing them would take too long' : undefined
}

/** graphql-js ends messages with names that resemble a mistaken one. */
function withoutSuggestion(message: string): string {
  const start = message.endsWith('?') ? message.lastIndexOf(' Did you mean ') : -1
  return start === -1 ? message : message.slice(0, start)
}

/** Apollo refuses some requests (a persisted query with the wrong hash, say) without a code, and would call them its own fault. */
function isUncodedRefusal(thrown: GraphQLError): boolean {
  if (thrown.extensions.code !== undefined) return false
  const { status } = (thrown.extensions.http ?? {}) as { status?: number }
  return status !== undefined && status >= 400 && status < 500
}

function coded(formatted: GraphQLFormattedError, code: string): GraphQLFormattedError {
  return { ...formatted, extensions: { ...formatted.extensions, code } }
}

const bug: Fault = { code: 'INTERNAL_SERVER_ERROR', message: 'Internal server error, the request id leads to the log' }
