import type { IncomingMessage } from 'node:http'
import type { ApolloServerPlugin } from '@apollo/server'
import type { GraphQLFormattedError } from 'graphql'
import type { Context } from '../../graphql/context.js'
import type { Viewer } from '../../platform/auth/viewer.js'
import type { ErrorMetrics } from '../../platform/metrics/error-metrics.js'
import type { RequestMetrics } from '../../platform/metrics/request-metrics.js'
import type { BatchedResponse } from '../fast-path/response-batcher.js'
import { parseErrorResponse } from '../request-error.js'
import type { RequestLog } from './request-log.js'

/** Data about a request on the standard path, collected while the request runs */
interface Progress {
  /** undefined if the requested operation could not be determined */
  result?: { operation: string | undefined; outcome: 'ok' | 'errors' | 'refused' }
  cost?: number
  codes?: readonly string[]
}

interface StandardResponse {
  request: IncomingMessage
  requestId: string
  viewer: Viewer | undefined
  status: number
  seconds: number
}

/** Counts and logs every GraphQL request once, when its response has been sent. */
export class RequestObserver {
  private readonly contexts = new WeakMap<IncomingMessage, Context>()
  /** By the loaders, which are unique to a request: Apollo copies the context, so the context cannot be the key. */
  private readonly progress = new WeakMap<Context['loaders'], Progress>()
  private readonly errorResponseCodes = new WeakMap<IncomingMessage, readonly string[]>()

  constructor(
    private readonly requests: RequestMetrics,
    private readonly errors: ErrorMetrics,
    private readonly log: RequestLog,
  ) {}

  /** Records a response of the fast path. This method is on the hot path. */
  recordFastPathResponse({ response, requestId, viewer, operation, cost }: BatchedResponse, seconds: number): void {
    this.requests.observe(operation, 'compiled', seconds, cost)
    if (!this.log.shouldLog('ok', seconds)) return
    const entry = { requestId, viewer, operation, outcome: 'ok', status: 200, seconds, cost, codes: [] } as const
    this.log.write(response.req, { ...entry, path: 'compiled' })
  }

  recordStart(request: IncomingMessage, context: Context): Context {
    this.contexts.set(request, context)
    this.progress.set(context.loaders, {})
    return context
  }

  recordCost({ loaders }: Context, points: number): void {
    Object.assign(this.progress.get(loaders) ?? {}, { cost: points })
  }

  /** Records the error codes of an error response that is about to be sent. */
  recordErrorResponse(request: IncomingMessage, response: string): void {
    this.errorResponseCodes.set(request, codesOf(parseErrorResponse(response).errors ?? []))
  }

  /** Records a response of the standard path. */
  recordResponse({ request, requestId, viewer, status, seconds }: StandardResponse): void {
    const context = this.contexts.get(request)
    const {
      result,
      cost,
      codes = this.errorResponseCodes.get(request) ?? [],
    } = (context && this.progress.get(context.loaders)) ?? {}
    // Without a context and without an error, the response is a page for a browser.
    if (!context && status < 400) return
    if (result) this.requests.observe(result.operation, result.outcome, seconds, cost ?? 0)
    else this.requests.observeUnparsed(seconds)
    this.errors.count(codes)
    const { operation, outcome } = result ?? { operation: undefined, outcome: 'refused' as const }
    if (!this.log.shouldLog(outcome, seconds)) return
    this.log.write(request, { requestId, viewer, operation, path: 'standard', outcome, status, seconds, cost, codes })
  }

  /**
   * Returns a plugin that records the outcome of each operation. recordResponse() counts requests without an outcome as refused.
   */
  plugin(): ApolloServerPlugin<Context> {
    return {
      requestDidStart: async () => {
        let isExecuted = false
        return {
          executionDidStart: async () => {
            isExecuted = true
          },
          willSendResponse: async ({ contextValue: { loaders }, operation, errors, response: { body } }) => {
            const progress = this.progress.get(loaders)
            if (!progress) return
            if (body.kind === 'single' && body.singleResult.errors) progress.codes = codesOf(body.singleResult.errors)
            if (!operation) return
            const outcome = !isExecuted ? 'refused' : errors ? 'errors' : 'ok'
            progress.result = { operation: operation.name?.value, outcome }
          },
        }
      },
    }
  }
}

function codesOf(errors: readonly Pick<GraphQLFormattedError, 'extensions'>[]): string[] {
  return [...new Set(errors.map(({ extensions }) => String(extensions?.code ?? 'none')))]
}
