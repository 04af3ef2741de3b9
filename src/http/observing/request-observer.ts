import type { IncomingMessage } from 'node:http'
import type { ApolloServerPlugin } from '@apollo/server'
import type { GraphQLFormattedError } from 'graphql'
import type { Context } from '../../graphql/context.js'
import type { Viewer } from '../../platform/auth/viewer.js'
import type { ErrorFigures } from '../../platform/metrics/error-figures.js'
import type { RequestFigures } from '../../platform/metrics/request-figures.js'
import type { Answer } from '../fast-path/answers-of-turn.js'
import { parseAnswer } from '../request-error.js'
import type { RequestLog } from './request-log.js'

/** What became of a request, as far as it went */
interface Course {
  /** undefined where no operation of the document was found */
  end?: { operation: string | undefined; ending: 'ok' | 'errors' | 'refused' }
  cost?: number
  codes?: readonly string[]
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
  private readonly courses = new WeakMap<Context['loaders'], Course>()
  private readonly refusals = new WeakMap<IncomingMessage, readonly string[]>()

  constructor(
    private readonly requests: RequestFigures,
    private readonly errors: ErrorFigures,
    private readonly log: RequestLog,
  ) {}

  /** In the lane. Whatever is done here, hot requests pay for. */
  answeredInLane({ response, requestId, viewer, operation, cost }: Answer, seconds: number): void {
    this.requests.observe(operation, 'lane', seconds)
    if (!this.log.isDue('ok', seconds)) return
    const answered = { requestId, viewer, operation, outcome: 'ok', status: 200, seconds, cost, codes: [] } as const
    this.log.write(response.req, { ...answered, way: 'lane' })
  }

  began(request: IncomingMessage, context: Context): Context {
    this.contexts.set(request, context)
    this.courses.set(context.loaders, {})
    return context
  }

  costs({ loaders }: Context, points: number): void {
    Object.assign(this.courses.get(loaders) ?? {}, { cost: points })
  }

  /** What a refusal says that is about to be sent */
  refused(request: IncomingMessage, answer: string): void {
    this.refusals.set(request, codesOf(parseAnswer(answer).errors ?? []))
  }

  /** The ordinary way */
  answered({ request, requestId, viewer, status, seconds }: Answered): void {
    const context = this.contexts.get(request)
    const { end, cost, codes = this.refusals.get(request) ?? [] } = (context && this.courses.get(context.loaders)) ?? {}
    // Without a context and a fault, it was a page for a browser.
    if (!context && status < 400) return
    if (end) this.requests.observe(end.operation, end.ending, seconds)
    else this.requests.observeUnknown(seconds)
    this.errors.count(codes)
    const { operation, ending: outcome } = end ?? { operation: undefined, ending: 'refused' as const }
    if (!this.log.isDue(outcome, seconds)) return
    this.log.write(request, { requestId, viewer, operation, way: 'ordinary', outcome, status, seconds, cost, codes })
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
            const course = this.courses.get(loaders)
            if (!course) return
            if (body.kind === 'single' && body.singleResult.errors) course.codes = codesOf(body.singleResult.errors)
            if (!operation) return
            const ending = !isExecuted ? 'refused' : errors ? 'errors' : 'ok'
            course.end = { operation: operation.name?.value, ending }
          },
        }
      },
    }
  }
}

function codesOf(errors: readonly Pick<GraphQLFormattedError, 'extensions'>[]): string[] {
  return [...new Set(errors.map(({ extensions }) => String(extensions?.code ?? 'none')))]
}
