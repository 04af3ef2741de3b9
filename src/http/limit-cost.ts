import { type ApolloServerPlugin, HeaderMap } from '@apollo/server'
import type { Context } from '../graphql/context.js'
import { rateLimited } from '../graphql/errors.js'
import type { Budgets } from './budgets.js'
import type { Costs } from './costs.js'
import { costHeader } from './wishes.js'

export interface CostLimits {
  costs: Costs
  /** null: clients may use as much as they like. */
  budgets: Budgets | null
}

/**
 * Refuses what could cost too much, before anything of it is executed, and charges the rest to the client. `X-Cost-Report: 1` asks for the
 * cost beside the answer, `X-Cost-Report: dry-run` for the cost alone.
 */
export function limitCost({ costs, budgets }: CostLimits): ApolloServerPlugin<Context> {
  return {
    async requestDidStart({ request, contextValue: { client } }) {
      const wish = request.http?.headers.get(costHeader)
      const isDryRun = wish === 'dry-run'
      const take = (points: number) => {
        if (budgets && !budgets.take(client, points)) throw rateLimited(budgets.secondsToWait(client))
      }
      let requested: number | undefined
      return {
        async didResolveOperation({ document, operation, request: { variables = {} } }) {
          if (!operation) return
          requested = costs.of(document, operation, variables)
          if (isDryRun) return take(leastPoints)
          costs.check(requested)
          take(requested)
        },
        async responseForOperation() {
          if (!isDryRun) return null
          return { http: { headers: new HeaderMap() }, body: { kind: 'single', singleResult: { data: null } } }
        },
        async willSendResponse({ response: { body } }) {
          // Neither is a document free that turned out to be none.
          if (requested === undefined) budgets?.charge(client, invalidPoints)
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

const leastPoints = 1
const invalidPoints = 10
