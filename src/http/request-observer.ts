import type { IncomingMessage } from 'node:http'
import type { ApolloServerPlugin } from '@apollo/server'
import type { GraphQLFormattedError } from 'graphql'
import type { Viewer } from '../auth/viewer.js'
import type { Context } from '../graphql/context.js'
import type { RequestFigures } from '../metrics/request-figures.js'
import type { Answer } from './answers-of-turn.js'
import type { RequestLog } from './request-log.js'

interface Executed {
  /** undefined for one without a name */
  operation: string | undefined
  ending: 'ok' | 'errors' | 'refused'
}

interface Answered {
  request: IncomingMessage
  requestId: string
  viewer: Viewer | undefined
  status: number
  seconds: number
}

/** Counts and logs every GraphQL request once, when its answer has been sent. */
export class RequestObserver {
  private readonly contexts = new WeakMap<IncomingMessage, Context>()
  /** By what a request has for itself: Apollo makes a copy of the context. */
  private readonly executed = new WeakMap<Context['loaders'], Executed>()
  private readonly codes = new WeakMap<Context['loaders'], string[]>()

  constructor(
    private readonly requests: RequestFigures,
    private readonly log: RequestLog,
  ) {}

  /** In the lane. Whatever is done here, hot requests pay for. */
  answeredInLane({ response, requestId, viewer, operation }: Answer, seconds: number): void {
    this.requests.observe(operation, 'lane', seconds)
    if (!this.log.isDue('ok', seconds)) return
    this.log.write(response.req, { requestId, viewer, operation, way: 'lane', outcome: 'ok', status: 200, seconds, codes: [] })
  }

  began(request: IncomingMessage, context: Context): Context {
    this.contexts.set(request, context)
    return context
  }

  /** The ordinary way */
  answered({ request, requestId, viewer, status, seconds }: Answered): void {
    const context = this.contexts.get(request)
    const executed = context && this.executed.get(context.loaders)
    // Without a context and a fault, it was a page for a browser.
    if (!context && status < 400) return
    if (executed) this.requests.observe(executed.operation, executed.ending, seconds)
    else this.requests.observeUnknown(seconds)
    const { operation, ending: outcome } = executed ?? { operation: undefined, ending: 'refused' as const }
    if (!this.log.isDue(outcome, seconds)) return
    const codes = (context && this.codes.get(context.loaders)) ?? []
    this.log.write(request, { requestId, viewer, operation, way: 'ordinary', outcome, status, seconds, codes })
  }

  /** Tells what became of an operation. One that is not known by then was refused. */
  plugin(): ApolloServerPlugin<Context> {
    return {
      requestDidStart: async () => {
        let isExecuted = false
        return {
          executionDidStart: async () => {
            isExecuted = true
          },
          willSendResponse: async ({ contextValue: { loaders }, operation, errors, response: { body } }) => {
            if (body.kind === 'single' && body.singleResult.errors) this.codes.set(loaders, codesOf(body.singleResult.errors))
            if (!operation) return
            const ending = !isExecuted ? 'refused' : errors ? 'errors' : 'ok'
            this.executed.set(loaders, { operation: operation.name?.value, ending })
          },
        }
      },
    }
  }
}

function codesOf(errors: readonly GraphQLFormattedError[]): string[] {
  return [...new Set(errors.map(({ extensions }) => String(extensions?.code ?? 'none')))]
}
