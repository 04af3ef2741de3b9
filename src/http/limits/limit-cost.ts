import { type ApolloServerPlugin, HeaderMap } from '@apollo/server'
import type { Context } from '../../graphql/context.js'
import { rateLimited } from '../../graphql/errors.js'
import { costHeader } from '../headers/wishes.js'
import type { Budgets } from './budgets.js'
import { type Costs, pointsOfDocument, pointsOfRegistration } from './costs.js'

export interface CostLimits {
  costs: Costs
  /** null: clients may use as much as they like. */
  budgets: Budgets | null
}

/** Throws where nothing is left of the client's budget. */
export function take(budgets: Budgets | null, client: string, points: number): void {
  if (budgets && !budgets.take(client, points)) throw rateLimited(budgets.secondsToWait(client))
}

/**
 * Refuses what could cost too much, before anything of it is executed, and charges the rest to the client. `X-Cost-Report: 1` asks for the
 * cost beside the answer, `X-Cost-Report: dry-run` for the cost alone. `observe` is told what each operation was reckoned to cost.
 */
export function limitCost(
  { costs, budgets }: CostLimits,
  observe: (context: Context, points: number) => void,
): ApolloServerPlugin<Context> {
  return {
    async requestDidStart({ request, contextValue, metrics }) {
      const { client } = contextValue
      const wish = request.http?.headers.get(costHeader)
      const isDryRun = wish === 'dry-run'
      let requested: number | undefined
      return {
        // Of documents that are not kept only. Whether or not they are valid.
        async validationDidStart({ document }) {
          budgets?.charge(client, pointsOfDocument(document))
        },
        async didResolveOperation({ source, document, operation, request: { variables = {} } }) {
          if (!operation) return
          requested = costs.of(document, operation, variables)
          if (metrics.persistedQueryRegister) budgets?.charge(client, pointsOfRegistration(source))
          observe(contextValue, requested)
          if (isDryRun) return take(budgets, client, unexecutedPoints)
          costs.check(requested)
          take(budgets, client, requested)
        },
        async responseForOperation() {
          if (!isDryRun) return null
          return { http: { headers: new HeaderMap() }, body: { kind: 'single', singleResult: { data: null } } }
        },
        async willSendResponse({ response: { body, http } }) {
          if (requested === undefined && (http.status ?? 200) < 400) budgets?.charge(client, unexecutedPoints)
          if (wish === undefined || requested === undefined || body.kind !== 'single') return
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

/** Of what is not executed, and not refused with a status either */
const unexecutedPoints = 2
