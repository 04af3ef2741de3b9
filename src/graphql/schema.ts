import { printSchemaWithDirectives } from '@graphql-tools/utils'
import { type GraphQLSchema, specifiedDirectives } from 'graphql'
import { buildSchemaSync, getMetadataStorage, type PubSub } from 'type-graphql'
import { CacheAdminResolver } from './cache-admin.js'
import { cacheControlDirective } from './cache-control.js'
import { guardSchema } from './guard.js'
import { NodeResolver, typeNameOf } from './node.js'
import { OrderResolver } from './order.js'
import { ProductResolver } from './product.js'
import { StatsResolver } from './stats.js'
import { UserResolver } from './user.js'

export function createSchema(): GraphQLSchema {
  const schema = buildSchemaSync({
    resolvers: [NodeResolver, UserResolver, ProductResolver, OrderResolver, StatsResolver, CacheAdminResolver],
    directives: [...specifiedDirectives, cacheControlDirective],
    // Commands check their input themselves: what is wrong with it is a userError, with the path to it.
    validate: false,
    pubSub: notUsed,
  })
  sortParametersOnce()
  return guardSchema(schema, (value) => typeNameOf(value as { id: string }))
}

/** TypeGraphQL sorts the parameters of a method each time that it calls it, into a new array: a fifth of a large answer's garbage. */
function sortParametersOnce(): void {
  const { queries, mutations, fieldResolvers } = getMetadataStorage()
  for (const { params } of [...queries, ...mutations, ...fieldResolvers]) {
    const sorted = params?.sort((a, b) => a.index - b.index)
    Object.defineProperty(params ?? [], 'sort', { value: () => sorted })
  }
}

/** TypeGraphQL asks for one; every subscription here has a source of its own. */
const notUsed: PubSub = {
  publish() {
    throw new Error('Nothing is published here')
  },
  subscribe() {
    throw new Error('Nothing is published here')
  },
}

/** The text of schema.graphql: types, descriptions and directives. */
export function printSchema(schema: GraphQLSchema): string {
  return `${printSchemaWithDirectives(schema)}\n`
}
