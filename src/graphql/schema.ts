import { printSchemaWithDirectives } from '@graphql-tools/utils'
import type { GraphQLSchema } from 'graphql'
import { buildSchemaSync } from 'type-graphql'
import { CacheAdminResolver } from './cache-admin.js'
import { NodeResolver } from './node.js'
import { OrderResolver } from './order.js'
import { ProductResolver } from './product.js'
import { StatsResolver } from './stats.js'
import { UserResolver } from './user.js'

export function createSchema(): GraphQLSchema {
  return buildSchemaSync({
    resolvers: [NodeResolver, UserResolver, ProductResolver, OrderResolver, StatsResolver, CacheAdminResolver],
    // Commands check their input themselves: what is wrong with it is a userError, with the path to it.
    validate: false,
  })
}

/** The text of schema.graphql: types, descriptions and directives. */
export function printSchema(schema: GraphQLSchema): string {
  return `${printSchemaWithDirectives(schema)}\n`
}
