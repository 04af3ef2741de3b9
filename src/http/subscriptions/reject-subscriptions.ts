import type { ApolloServerPlugin } from '@apollo/server'
import { GraphQLError } from 'graphql'
import type { Context } from '../../graphql/context.js'

/** Rejects subscriptions sent as a normal HTTP request, and names the endpoints that accept them. */
export function rejectSubscriptions(streamPath: string, socketPath: string): ApolloServerPlugin<Context> {
  const message = `Send subscriptions to ${streamPath} (server-sent events), or over WebSocket to ${socketPath}`
  return {
    async requestDidStart() {
      return {
        async didResolveOperation({ operation }) {
          if (operation?.operation !== 'subscription') return
          throw new GraphQLError(message, { extensions: { code: 'STREAM_REQUIRED', http: { status: 400 } } })
        },
      }
    },
  }
}
