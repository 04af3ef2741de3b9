import type { ApolloServerPlugin } from '@apollo/server'
import type { DocumentNode, GraphQLSchema } from 'graphql'
import { type CachePolicy, cachePolicyOf } from '../../graphql/cache-control.js'
import type { Context } from '../../graphql/context.js'

/**
 * Sets the Cache-Control header of responses. A response with extensions is valid for its request only and is never stored, so
 * this plugin must come after the plugins that add extensions. The policy is computed once per document, whereas Apollo's own
 * plugin visits every field of every response.
 */
export function cacheControl(schema: GraphQLSchema): ApolloServerPlugin<Context> {
  const headers = new WeakMap<DocumentNode, string>()
  const headerOf = (document: DocumentNode) => {
    const header = headers.get(document) ?? toHeader(cachePolicyOf(schema, document))
    headers.set(document, header)
    return header
  }
  return {
    async requestDidStart() {
      return {
        async willSendResponse({ document, errors, response: { body, http } }) {
          const isStorable = document && !errors && body.kind === 'single' && !body.singleResult.extensions
          http.headers.set('cache-control', isStorable ? headerOf(document) : noStore)
        },
      }
    },
  }
}

export const noStore = 'no-store'

/** A shared cache may serve a stale public response for as long as its max-age while it revalidates. */
function toHeader(policy: CachePolicy): string {
  if (policy.state === 'unstored') return noStore
  const { scope, maxAge } = policy
  if (maxAge === 0) return `${scope.toLowerCase()}, no-cache`
  return scope === 'PUBLIC' ? `public, max-age=${maxAge}, stale-while-revalidate=${maxAge}` : `private, max-age=${maxAge}`
}
