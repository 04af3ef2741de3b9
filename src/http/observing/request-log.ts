import type { IncomingMessage } from 'node:http'
import type { FastifyBaseLogger } from 'fastify'
import type { Viewer } from '../../platform/auth/viewer.js'

export interface RequestLogOptions {
  logger: FastifyBaseLogger
  /** problems: requests with errors, and slow ones */
  logged: 'none' | 'problems' | 'all'
  slowMs: number
  /** undefined where it is not traced */
  traceIdOf: (request: IncomingMessage) => string | undefined
}

export interface AnsweredRequest {
  requestId: string
  /** undefined where nobody knows, since it was refused before */
  viewer: Viewer | undefined
  /** undefined where it has no name, or was not understood */
  operation: string | undefined
  way: 'lane' | 'ordinary'
  outcome: 'ok' | 'errors' | 'refused'
  status: number
  seconds: number
  /** In points, as it was reckoned; undefined where it was refused before */
  cost: number | undefined
  /** Of its errors, each once */
  codes: readonly string[]
}

/** One line for a GraphQL request, when it was answered. Nothing of what it asked for but the name of its operation. */
export class RequestLog {
  constructor(private readonly options: RequestLogOptions) {}

  /** Cheap: asked for every request */
  isDue(outcome: AnsweredRequest['outcome'], seconds: number): boolean {
    const { logged, slowMs } = this.options
    if (logged === 'problems') return outcome !== 'ok' || seconds * 1000 >= slowMs
    return logged === 'all'
  }

  write(request: IncomingMessage, answered: AnsweredRequest): void {
    const { requestId, viewer, operation, way, outcome, status, seconds, cost, codes } = answered
    const { logger, slowMs, traceIdOf } = this.options
    const durationMs = Math.round(seconds * 1_000_000) / 1000
    const line = {
      requestId,
      // What is active now may be another request.
      ...{ trace_id: traceIdOf(request), span_id: undefined },
      operation: operation?.slice(0, maxNameLength),
      ...{ way, outcome, status, durationMs, cost, viewer: viewer?.role },
      ...(codes.length > 0 && { codes }),
    }
    if (durationMs >= slowMs) logger.warn(line, 'slow request')
    else logger.info(line, 'request')
  }
}

const maxNameLength = 64
