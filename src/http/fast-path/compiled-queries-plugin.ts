import type { ApolloServerPlugin } from '@apollo/server'
import type { CompiledQueries } from 'cached-resolvers/compiled-queries'
import type { Context } from '../../graphql/context.js'
import { noStore } from '../headers/cache-control.js'

/**
 * Reports the documents that Apollo answers without errors. Must come after the plugin that sets Cache-Control, which it reads.
 */
export function compiledQueriesPlugin(compiledQueries: CompiledQueries): ApolloServerPlugin<Context> {
  return {
    async requestDidStart() {
      return {
        async willSendResponse({ source, document, errors, response: { body, http } }) {
          if (source === undefined || !document || errors || body.kind !== 'single' || body.singleResult.extensions) return
          compiledQueries.recordAnswer(source, document, http.headers.get('cache-control') ?? noStore)
        },
      }
    },
  }
}
