import type { IncomingMessage } from 'node:http'
import type { FastifyBaseLogger } from 'fastify'
import type { Viewer } from '../../platform/auth/viewer.js'

export interface RequestLogOptions {
  logger: FastifyBaseLogger
  /** Which requests are logged. `problems` stands for requests with errors and slow requests. */
  mode: 'none' | 'problems' | 'all'
  slowMs: number
  /** Returns undefined if the request is not traced. */
  traceIdOf: (request: IncomingMessage) => string | undefined
}

export interface RequestLogEntry {
  requestId: string
  /** undefined if the request was refused before authentication */
  viewer: Viewer | undefined
  /** undefined if the operation has no name, or the document could not be parsed */
  operation: string | undefined
  /** `compiled` if a compiled query answered the request, `standard` if Apollo did */
  path: 'compiled' | 'standard'
  outcome: 'ok' | 'errors' | 'refused'
  status: number
  seconds: number
  /** Estimated cost in points; undefined if the request was refused before its cost was estimated */
  cost: number | undefined
  /** Codes of the response's errors, without duplicates */
  codes: readonly string[]
}

/**
 * Writes one line per GraphQL request when it has been answered. The line contains nothing of the content of the request except
 * the name of the operation.
 */
export class RequestLog {
  constructor(private readonly options: RequestLogOptions) {}

  /** Must be cheap, because it is called for every request. */
  shouldLog(outcome: RequestLogEntry['outcome'], seconds: number): boolean {
    const { mode, slowMs } = this.options
    if (mode === 'problems') return outcome !== 'ok' || seconds * 1000 >= slowMs
    return mode === 'all'
  }

  write(request: IncomingMessage, entry: RequestLogEntry): void {
    const { requestId, viewer, operation, path, outcome, status, seconds, cost, codes } = entry
    const { logger, slowMs, traceIdOf } = this.options
    const durationMs = Math.round(seconds * 1_000_000) / 1000
    const line = {
      requestId,
      // These fields are set explicitly, because the logger would add the ids of the active span, which may belong to another
      // request.
      trace_id: traceIdOf(request),
      span_id: undefined,
      operation: operation?.slice(0, maxNameLength),
      path,
      outcome,
      status,
      durationMs,
      cost,
      viewer: viewer?.role,
      ...(codes.length > 0 && { codes }),
    }
    if (durationMs >= slowMs) logger.warn(line, 'slow request')
    else logger.info(line, 'request')
  }
}

const maxNameLength = 64
