import type { ApolloServerPlugin } from '@apollo/server'
import type { Context } from '../graphql/context.js'
import type { Lane } from '../lane/lane.js'

/** Tells the lane which documents Apollo answers without errors. */
export function teachLane(lane: Lane): ApolloServerPlugin<Context> {
  return {
    async requestDidStart() {
      return {
        async willSendResponse({ source, document, errors, response: { body } }) {
          if (source === undefined || !document || errors || body.kind !== 'single' || body.singleResult.extensions) return
          lane.answered(source, document)
        },
      }
    },
  }
}
