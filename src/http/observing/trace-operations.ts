import type { ApolloServerPlugin } from '@apollo/server'
import type { Context } from '../../graphql/context.js'
import type { OperationSpans } from '../../platform/tracing/operation-spans.js'

/** Adds the operation and the code of the first error to the span of a request. */
export function traceOperations(spans: OperationSpans): ApolloServerPlugin<Context> {
  return {
    async requestDidStart() {
      const span = spans.current()
      if (!span) return
      return {
        async didResolveOperation({ operation }) {
          if (operation) spans.describe(span, operation.operation, operation.name?.value)
        },
        async willSendResponse({ response: { body } }) {
          const errors = body.kind === 'single' ? body.singleResult.errors : undefined
          if (errors) spans.fail(span, String(errors[0]?.extensions?.code ?? 'unknown'))
        },
      }
    },
  }
}
