import type { ApolloServerPlugin } from '@apollo/server'
import { GraphQLError } from 'graphql'
import type { Context } from '../../graphql/context.js'

/** A subscription that came as an ordinary request is told where to go. */
export function sendSubscriptionsElsewhere(streamPath: string, socketPath: string): ApolloServerPlugin<Context> {
  const message = `A subscription has no single answer: send it to ${streamPath} (server-sent events), or by WebSocket to ${socketPath}`
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
