import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { ErrorCode } from '../graphql/errors.js'
import type { ErrorFigures } from '../platform/metrics/error-figures.js'
import { truncate } from '../platform/truncate.js'
import { requestId } from './headers/request-id.js'
import { securityHeaders } from './headers/security-headers.js'

export interface Refusal {
  status: number
  code: ErrorCode
  message: string
}

/** Clients of GraphQL read errors in this shape, whatever went wrong. */
export function requestError(message: string, code: ErrorCode, id: string) {
  return { errors: [{ message: truncate(message), extensions: { code, requestId: id } }] }
}

/** Puts the id into the errors of an answer that have none: those that Apollo made before it knew of the request. */
export function withRequestId(answer: string, id: string): string {
  const { errors, ...others } = parseAnswer(answer)
  if (!errors?.some(({ extensions }) => extensions?.requestId === undefined)) return answer
  return `${JSON.stringify({ errors: errors.map((its) => ({ ...its, extensions: { ...its.extensions, requestId: id } })), ...others })}\n`
}

interface AnswerWithErrors {
  errors?: { extensions?: Record<string, unknown> }[]
}

/** What is no JSON has no errors. */
export function parseAnswer(answer: string): AnswerWithErrors {
  try {
    const { errors, ...others } = JSON.parse(answer)
    return Array.isArray(errors) ? { errors, ...others } : {}
  } catch {
    return {}
  }
}

/** Answers what is no HTTP, or did not come in time: no request was made of it, so nothing else would. */
export function connectionRefuser(errors: ErrorFigures) {
  return (error: NodeJS.ErrnoException, socket: Socket): void => {
    if (error.code === 'ECONNRESET' || !socket.writable) {
      socket.destroy()
      return
    }
    const { status, message } = refusals[error.code ?? ''] ?? noHttp
    errors.count(['BAD_REQUEST'])
    refuseRaw(socket, { status, code: 'BAD_REQUEST', message }, requestId({}))
  }
}

/** For connections that have no response object, or none any more. */
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

/** Answers a header Expect that is not 100-continue: node would do so without a body. */
export function expectationRefuser(errors: ErrorFigures) {
  return requestRefuser(errors, { status: 417, code: 'BAD_REQUEST', message: 'Expect can only be 100-continue' })
}

/** Refuses a request before anything is made of it, and ends its connection. */
export function requestRefuser(errors: ErrorFigures, { status, code, message }: Refusal) {
  return ({ headers }: IncomingMessage, response: ServerResponse): void => {
    const id = requestId(headers)
    const body = JSON.stringify(requestError(message, code, id))
    const head = { 'content-type': 'application/json; charset=utf-8', 'content-length': Buffer.byteLength(body) }
    errors.count([code])
    response.writeHead(status, { ...securityHeaders, ...head, 'x-request-id': id, connection: 'close' }).end(body)
  }
}

const noHttp = { status: 400, message: 'This is not a request of HTTP/1.1' }

const refusals: Partial<Record<string, { status: number; message: string }>> = {
  HPE_HEADER_OVERFLOW: { status: 431, message: 'The headers are too large' },
  ERR_HTTP_REQUEST_TIMEOUT: { status: 408, message: 'The request did not arrive in time' },
}
