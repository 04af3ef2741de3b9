import { type ApolloServerPlugin, HeaderMap } from '@apollo/server'
import type { Context } from '../../graphql/context.js'
import { rateLimited } from '../../graphql/errors.js'
import { costReportHeader } from '../headers/request-flags.js'
import type { Budgets } from './budgets.js'
import { type Costs, pointsOfDocument, pointsOfRegistration } from './costs.js'

export interface CostLimits {
  costs: Costs
  /** null if usage is not limited */
  budgets: Budgets | null
}

/** Charges points to a client. Throws RATE_LIMITED if its budget is used up. */
export function consume(budgets: Budgets | null, client: string, points: number): void {
  if (budgets && !budgets.tryConsume(client, points)) throw rateLimited(budgets.secondsToWait(client))
}

/**
 * Refuses operations whose estimated cost is too high, before they are executed, and charges all other operations to the client.
 * `X-Cost-Report: 1` adds the cost to the response, `X-Cost-Report: dry-run` returns the cost without executing the operation.
 * `observe` is called with the estimated cost of each operation.
 */
export function limitCost(
  { costs, budgets }: CostLimits,
  observe: (context: Context, points: number) => void,
): ApolloServerPlugin<Context> {
  return {
    async requestDidStart({ request, contextValue, metrics }) {
      const { client } = contextValue
      const costReport = request.http?.headers.get(costReportHeader)
      const isDryRun = costReport === 'dry-run'
      let requested: number | undefined
      return {
        // Apollo calls this only for documents that are not in the document store. Invalid documents are charged too.
        async validationDidStart({ document }) {
          budgets?.charge(client, pointsOfDocument(document))
        },
        async didResolveOperation({ source, document, operation, request: { variables = {} } }) {
          if (!operation) return
          requested = costs.of(document, operation, variables)
          if (metrics.persistedQueryRegister) budgets?.charge(client, pointsOfRegistration(source))
          observe(contextValue, requested)
          if (isDryRun) return consume(budgets, client, unexecutedPoints)
          costs.check(requested)
          consume(budgets, client, requested)
        },
        async responseForOperation() {
          if (!isDryRun) return null
          return { http: { headers: new HeaderMap() }, body: { kind: 'single', singleResult: { data: null } } }
        },
        async willSendResponse({ response: { body, http } }) {
          if (requested === undefined && (http.status ?? 200) < 400) budgets?.charge(client, unexecutedPoints)
          if (costReport === undefined || requested === undefined || body.kind !== 'single') return
          const cost = {
            requested,
            maximum: costs.maximum,
            ...(budgets && { remaining: Math.max(0, budgets.remaining(client)) }),
          }
          body.singleResult.extensions = { ...body.singleResult.extensions, cost }
        },
      }
    },
  }
}

/** Points for an operation that is neither executed nor refused with an HTTP error status */
const unexecutedPoints = 2
