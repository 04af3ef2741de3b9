import type { IncomingMessage } from 'node:http'
import type { ApolloServerPlugin } from '@apollo/server'
import type { Context } from '../graphql/context.js'
import type { Ending, RequestFigures } from '../metrics/request-figures.js'

interface Executed {
  /** undefined for one without a name */
  operation: string | undefined
  ending: Ending
}

/** Counts what is answered the ordinary way: every GraphQL request once, when its answer has been sent. */
export class RequestObserver {
  private readonly contexts = new WeakMap<IncomingMessage, Context>()
  /** By what a request has for itself: Apollo makes a copy of the context. */
  private readonly executed = new WeakMap<Context['loaders'], Executed>()

  constructor(private readonly requests: RequestFigures) {}

  began(request: IncomingMessage, context: Context): Context {
    this.contexts.set(request, context)
    return context
  }

  answered(request: IncomingMessage, status: number, seconds: number): void {
    const context = this.contexts.get(request)
    const executed = context && this.executed.get(context.loaders)
    if (executed) this.requests.observe(executed.operation, executed.ending, seconds)
    // Without a context and a fault, it was a page for a browser.
    else if (context || status >= 400) this.requests.observeUnknown(seconds)
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
          willSendResponse: async ({ contextValue, operation, errors }) => {
            if (!operation) return
            const ending = !isExecuted ? 'refused' : errors ? 'errors' : 'ok'
            this.executed.set(contextValue.loaders, { operation: operation.name?.value, ending })
          },
        }
      },
    }
  }
}
