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
    // Commands validate their input themselves, because they return userErrors with the path of the invalid value.
    validate: false,
    pubSub: unusedPubSub,
    container: { get: (type) => instanceOf(type as new () => object) },
  })
  describeRootTypes(schema)
  bypassTypeGraphQLWrappers(schema, instanceOf)
  return guardSchema(schema, (value) => typeNameOf(value as { id: string }))
}

/** TypeGraphQL has no way to declare these descriptions. */
function describeRootTypes(schema: GraphQLSchema): void {
  for (const type of [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()]) {
    if (type) type.description = rootDescriptions[type.name]
  }
}

const rootDescriptions: Readonly<Record<string, string>> = {
  Query: 'Reads. A request costs points for what it loads at most, and is refused above the limit of the server (250 by default)',
  Mutation:
    'Changes, one after another. Each costs 10 points or more. A change that breaks a rule is not made, and the payload has userErrors',
  Subscription: 'Events, sent after the change has been committed, over Server-Sent Events or a WebSocket',
}

/**
 * Returns a function that returns the instance of a class, and creates it at the first call for this class. One instance suffices
 * because resolvers have no state.
 */
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
