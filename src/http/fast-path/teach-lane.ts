import type { ApolloServerPlugin } from '@apollo/server'
import type { Lane } from 'cached-resolvers/compiled-queries'
import type { Context } from '../../graphql/context.js'
import { unstored } from '../headers/cache-control.js'

/** Tells the lane which documents Apollo answers without errors. Comes after the plugin that says who may store them. */
export function teachLane(lane: Lane): ApolloServerPlugin<Context> {
  return {
    async requestDidStart() {
      return {
        async willSendResponse({ source, document, errors, response: { body, http } }) {
          if (source === undefined || !document || errors || body.kind !== 'single' || body.singleResult.extensions) return
          lane.answered(source, document, http.headers.get('cache-control') ?? unstored)
        },
      }
    },
  }
}
