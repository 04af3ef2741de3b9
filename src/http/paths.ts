export const graphqlPath = '/graphql'
/** Path of subscriptions over server-sent events */
export const streamPath = '/graphql/stream'
