import { printSchemaWithDirectives } from '@graphql-tools/utils'
import { type GraphQLSchema, specifiedDirectives } from 'graphql'
import { buildSchemaSync, type PubSub } from 'type-graphql'
import { resolvers } from '../shop/entities.js'
import { CacheAdminResolver } from '../shop/stats/cache-admin-resolver.js'
import { StatsResolver } from '../shop/stats/stats-resolver.js'
import { cacheControlDirective } from './cache-control.js'
import { callDirectly } from './direct-calls.js'
import { guardSchema } from './guard.js'
import { NodeResolver, typeNameOf } from './node.js'

export function createSchema(): GraphQLSchema {
  const instanceOf = oncePerClass()
  const schema = buildSchemaSync({
    resolvers: [NodeResolver, ...resolvers, StatsResolver, CacheAdminResolver],
    directives: [...specifiedDirectives, cacheControlDirective],
    // Commands check their input themselves: what is wrong with it is a userError, with the path to it.
    validate: false,
    pubSub: notUsed,
    container: { get: (type) => instanceOf(type as new () => object) },
  })
  callDirectly(schema, instanceOf)
  return guardSchema(schema, (value) => typeNameOf(value as { id: string }))
}

/** Resolvers hold nothing: one of each is enough. */
function oncePerClass() {
  const instances = new Map<new () => object, object>()
  return (type: new () => object): object => {
    const known = instances.get(type) ?? new type()
    instances.set(type, known)
    return known
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
