import type { ApolloServerPlugin } from '@apollo/server'
import type { CompiledQueries } from 'cached-resolvers/compiled-queries'
import type { Context } from '../../graphql/context.js'
import { noStore } from '../headers/cache-control.js'

/**
 * Reports documents that Apollo answers without errors to `compiledQueries`, so that they are compiled. Reads the Cache-Control
 * header, and therefore must come after the plugin that sets this header.
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
