import { printSchemaWithDirectives } from '@graphql-tools/utils'
import { type GraphQLSchema, specifiedDirectives } from 'graphql'
import { buildSchemaSync, type PubSub } from 'type-graphql'
import { resolvers } from '../shop/entities.js'
import { CacheAdminResolver } from '../shop/stats/cache-admin-resolver.js'
import { StatsResolver } from '../shop/stats/stats-resolver.js'
import { bypassTypeGraphQLWrappers } from './bypass-typegraphql-wrappers.js'
import { cacheControlDirective } from './cache-control.js'
import { guardSchema } from './guard.js'
import { NodeResolver, typeNameOf } from './node.js'

export function createSchema(): GraphQLSchema {
  const instanceOf = singletonPerClass()
  const schema = buildSchemaSync({
    resolvers: [NodeResolver, ...resolvers, StatsResolver, CacheAdminResolver],
    directives: [...specifiedDirectives, cacheControlDirective],
    // Commands validate their input themselves: they return userErrors with the path of the invalid value.
    validate: false,
    pubSub: unusedPubSub,
    container: { get: (type) => instanceOf(type as new () => object) },
  })
  bypassTypeGraphQLWrappers(schema, instanceOf)
  return guardSchema(schema, (value) => typeNameOf(value as { id: string }))
}

/** Returns a function that creates one instance of each class. One instance suffices because resolvers have no state. */
function singletonPerClass() {
  const instances = new Map<new () => object, object>()
  return (type: new () => object): object => {
    const instance = instances.get(type) ?? new type()
    instances.set(type, instance)
    return instance
  }
}

/** TypeGraphQL requires a PubSub, but every subscription of this schema has its own `subscribe` function. */
const unusedPubSub: PubSub = {
  publish() {
    throw new Error('PubSub is not used: subscriptions have their own subscribe functions')
  },
  subscribe() {
    throw new Error('PubSub is not used: subscriptions have their own subscribe functions')
  },
}

/** Returns the text of schema.graphql: types, descriptions and directives. */
export function printSchema(schema: GraphQLSchema): string {
  return `${printSchemaWithDirectives(schema)}\n`
}
