import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { ErrorCode } from '../graphql/errors.js'
import type { ErrorMetrics } from '../platform/metrics/error-metrics.js'
import { truncate } from '../platform/truncate.js'
import { requestId } from './headers/request-id.js'
import { securityHeaders } from './headers/security-headers.js'

export interface Refusal {
  status: number
  code: ErrorCode
  message: string
}

/** Returns the body of an error response, on every path in the format that GraphQL clients expect. */
export function requestError(message: string, code: ErrorCode, id: string) {
  return { errors: [{ message: truncate(message), extensions: { code, requestId: id } }] }
}

/** Adds the request id to errors that have no request id, because Apollo created them before it had a context. */
export function withRequestId(response: string, id: string): string {
  const { errors, ...others } = parseErrorResponse(response)
  if (!errors?.some(({ extensions }) => extensions?.requestId === undefined)) return response
  const withIds = errors.map((error) => ({ ...error, extensions: { ...error.extensions, requestId: id } }))
  return `${JSON.stringify({ errors: withIds, ...others })}\n`
}

interface ErrorResponse {
  errors?: { extensions?: Record<string, unknown> }[]
}

/** Returns an object without errors if the response is not JSON. */
export function parseErrorResponse(response: string): ErrorResponse {
  try {
    const { errors, ...others } = JSON.parse(response)
    return Array.isArray(errors) ? { errors, ...others } : {}
  } catch {
    return {}
  }
}

/**
 * Creates a handler for the server's `clientError` event: the client sent data that is not HTTP, or sent a request too slowly. No
 * hook runs, because no request object exists.
 */
export function createClientErrorHandler(errors: ErrorMetrics) {
  return (error: NodeJS.ErrnoException, socket: Socket): void => {
    if (error.code === 'ECONNRESET' || !socket.writable) {
      socket.destroy()
      return
    }
    const { status, message } = knownErrors[error.code ?? ''] ?? invalidHttp
    errors.count(['BAD_REQUEST'])
    refuseRaw(socket, { status, code: 'BAD_REQUEST', message }, requestId({}))
  }
}

/** Writes an error response to a connection that has no response object, and closes the connection. */
export function refuseRaw(socket: Duplex, { status, code, message }: Refusal, id: string): void {
  const body = JSON.stringify(requestError(message, code, id))
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'content-type: application/json; charset=utf-8',
    `content-length: ${Buffer.byteLength(body)}`,
    `x-request-id: ${id}`,
    ...Object.entries(securityHeaders).map(([name, value]) => `${name}: ${value}`),
    'connection: close',
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy())
}

/** Creates a handler that refuses requests with an Expect header other than 100-continue. Node's response would have no body. */
export function createExpectationHandler(errors: ErrorMetrics) {
  return createRequestRefuser(errors, {
    status: 417,
    code: 'BAD_REQUEST',
    message: 'The only supported value of Expect is 100-continue',
  })
}

/** Creates a request listener that answers every request with an error, and closes the connection. */
export function createRequestRefuser(errors: ErrorMetrics, { status, code, message }: Refusal) {
  return ({ headers }: IncomingMessage, response: ServerResponse): void => {
    const id = requestId(headers)
    const body = JSON.stringify(requestError(message, code, id))
    const head = { 'content-type': 'application/json; charset=utf-8', 'content-length': Buffer.byteLength(body) }
    errors.count([code])
    response.writeHead(status, { ...securityHeaders, ...head, 'x-request-id': id, connection: 'close' }).end(body)
  }
}

const invalidHttp = { status: 400, message: 'This is not an HTTP/1.1 request' }

const knownErrors: Partial<Record<string, { status: number; message: string }>> = {
  HPE_HEADER_OVERFLOW: { status: 431, message: 'The headers are too large' },
  ERR_HTTP_REQUEST_TIMEOUT: { status: 408, message: 'The request did not arrive in time' },
}
