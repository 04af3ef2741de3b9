import type { ApolloServerPlugin } from '@apollo/server'
import type { DocumentNode, GraphQLSchema } from 'graphql'
import { type CachePolicy, cachePolicyOf } from '../../graphql/cache-control.js'
import type { Context } from '../../graphql/context.js'

/** Says who may store an answer, and how long; with extensions, it is about its request only. Comes after those who add these. It is looked up once for each document; Apollo's own looks at every field of every answer. */
export function cacheControl(schema: GraphQLSchema): ApolloServerPlugin<Context> {
  const known = new WeakMap<DocumentNode, string>()
  const headerOf = (document: DocumentNode) => {
    const header = known.get(document) ?? toHeader(cachePolicyOf(schema, document))
    known.set(document, header)
    return header
  }
  return {
    async requestDidStart() {
      return {
        async willSendResponse({ document, errors, response: { body, http } }) {
          const isGood = document && !errors && body.kind === 'single' && !body.singleResult.extensions
          http.headers.set('cache-control', isGood ? headerOf(document) : unstored)
        },
      }
    },
  }
}

export const unstored = 'no-store'

/** What everybody may have, a shared cache may serve once more that long while it asks for it again. */
function toHeader(policy: CachePolicy): string {
  if (policy.state === 'unstored') return unstored
  const { scope, maxAge } = policy
  if (maxAge === 0) return `${scope.toLowerCase()}, no-cache`
  return scope === 'PUBLIC' ? `public, max-age=${maxAge}, stale-while-revalidate=${maxAge}` : `private, max-age=${maxAge}`
}
