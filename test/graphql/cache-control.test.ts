import { type GraphQLObjectType, parse } from 'graphql'
import { expect, test } from 'vitest'
import { administrators } from '../../src/graphql/access.js'
import { cachePolicyOf } from '../../src/graphql/cache-control.js'
import { createSchema } from '../../src/graphql/schema.js'

test('a field with an access rule makes the response private, even in a public type', () => {
  const schema = createSchema()
  const { stock } = (schema.getType('Product') as GraphQLObjectType).getFields()
  const document = parse('{ product(id: "product_1") { name stock } }')
  expect(cachePolicyOf(schema, document)).toEqual({ state: 'stored', maxAge: 5, scope: 'PUBLIC' })
  if (stock) stock.extensions = { ...stock.extensions, access: administrators }
  expect(cachePolicyOf(schema, document)).toEqual({ state: 'stored', maxAge: 5, scope: 'PRIVATE' })
})
