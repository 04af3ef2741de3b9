import { ApolloServer, type BaseContext } from '@apollo/server'
import { fastifyApolloDrainPlugin, fastifyApolloHandler } from '@as-integrations/fastify'
import fastify from 'fastify'
import type { GraphQLSchema } from 'graphql'
import { address, announce } from './environment.js'

/** Apollo Server with its defaults, on Fastify. */
export async function serveApollo<Context extends BaseContext>(
  schema: GraphQLSchema,
  createContext: () => Context,
): Promise<void> {
  const server = fastify()
  const apollo = new ApolloServer<Context>({ schema, plugins: [fastifyApolloDrainPlugin(server)] })
  await apollo.start()
  server.post('/graphql', fastifyApolloHandler(apollo, { context: async () => createContext() }))
  await server.listen(address)
  announce()
}
