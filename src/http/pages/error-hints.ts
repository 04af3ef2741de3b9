import type { ErrorCode } from '../../graphql/errors.js'

interface ErrorHint {
  /**
   * `failed`: the server could not answer. `refused`: to protect the server, because of a limit. `client`: the client has to correct
   * the request.
   */
  kind: 'failed' | 'refused' | 'client'
  /** What an operator should know; docs/errors.md says what clients should do */
  meaning: string
  /** Which line of the log has the cause; the log always has the code, in the line of the request */
  cause?: 'error' | 'warning'
}

/** For the dashboard, by code */
export const errorHints: Readonly<Record<ErrorCode, ErrorHint>> = {
  INTERNAL_SERVER_ERROR: { kind: 'failed', meaning: 'A bug in the server', cause: 'error' },
  SERVICE_UNAVAILABLE: { kind: 'failed', meaning: 'The database or the cache server did not answer', cause: 'warning' },
  DEADLINE_EXCEEDED: { kind: 'failed', meaning: 'A field was not loaded in time', cause: 'warning' },
  OVERLOADED: { kind: 'refused', meaning: 'The server had too much to do: see docs/overload.md' },
  RATE_LIMITED: { kind: 'refused', meaning: 'A client used up its budget' },
  TOO_MANY_CONNECTIONS: { kind: 'refused', meaning: 'Too many subscriber connections from one address' },
  TOO_MANY_SUBSCRIPTIONS: { kind: 'refused', meaning: 'Too many subscriptions on one socket or from one address' },
  COST_LIMIT_EXCEEDED: { kind: 'refused', meaning: 'The request could cost more than the maximum' },
  LIMIT_EXCEEDED: { kind: 'refused', meaning: 'The document or a list was too large' },
  UNAUTHENTICATED: { kind: 'client', meaning: 'No token, or an invalid one' },
  FORBIDDEN: { kind: 'client', meaning: 'The token, origin or host is not allowed to do this' },
  BAD_USER_INPUT: { kind: 'client', meaning: 'An invalid variable or argument' },
  BAD_REQUEST: { kind: 'client', meaning: 'Not a valid GraphQL over HTTP request' },
  NOT_FOUND: { kind: 'client', meaning: 'The server has no such path' },
  GRAPHQL_PARSE_FAILED: { kind: 'client', meaning: 'The document has a syntax error' },
  GRAPHQL_VALIDATION_FAILED: { kind: 'client', meaning: 'The document does not fit the schema' },
  OPERATION_RESOLUTION_FAILURE: { kind: 'client', meaning: 'No operation of that name' },
  PERSISTED_QUERY_NOT_FOUND: { kind: 'client', meaning: 'The text of a persisted query was not known yet: normal after a start' },
  PERSISTED_QUERY_NOT_SUPPORTED: { kind: 'client', meaning: 'Only trusted documents are answered' },
  PERSISTED_QUERY_NOT_IN_LIST: { kind: 'client', meaning: 'The id is not that of a trusted document' },
  QUERY_NOT_IN_SAFELIST: { kind: 'client', meaning: 'The text is not a trusted document' },
  INTROSPECTION_DISABLED: { kind: 'client', meaning: 'The schema was queried, which is disabled' },
  STREAM_REQUIRED: { kind: 'client', meaning: 'A subscription was sent as a query' },
  SUBSCRIPTIONS_ONLY: { kind: 'client', meaning: 'A query was sent to a subscription endpoint' },
}
