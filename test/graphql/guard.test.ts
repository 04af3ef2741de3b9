import { GraphQLNonNull, GraphQLObjectType, GraphQLSchema, GraphQLString, graphql, parse, subscribe } from 'graphql'
import { describe, expect, test } from 'vitest'
import { administrators, everyone, owner } from '../../src/graphql/access.js'
import { guardSchema } from '../../src/graphql/guard.js'
import { administrator, anonymous } from '../../src/platform/auth/viewer.js'

const text = { type: GraphQLString }
const typeNameOf = () => 'Secret'

describe('creating a schema throws', () => {
  test('if a field of Query, Mutation or Subscription has no rule', () => {
    const root = (name: string) =>
      new GraphQLObjectType({ name, fields: { open: { ...text, extensions: { access: everyone } }, new: text } })
    const schema = new GraphQLSchema({ query: root('Query'), mutation: root('Mutation'), subscription: root('Subscription') })
    expect(() => guardSchema(schema, typeNameOf)).toThrow('(see @Access) for: Query.new, Mutation.new, Subscription.new')
  })
})

describe("a value that is not the viewer's", () => {
  const secretType = new GraphQLObjectType({
    name: 'Secret',
    fields: { text },
    extensions: { access: owner(({ owner }: { owner: string }) => owner) },
  })
  const mine = { text: 'mine', owner: 'user_1' }
  const theirs = { text: 'theirs', owner: 'user_2' }
  const field = (type: GraphQLObjectType | GraphQLNonNull<GraphQLObjectType>, value: unknown) => ({
    ...{ type, extensions: { access: everyone } },
    resolve: () => value,
  })
  const schema = guardSchema(
    new GraphQLSchema({
      query: new GraphQLObjectType({
        name: 'Query',
        fields: {
          mine: field(secretType, mine),
          absent: field(secretType, theirs),
          later: field(secretType, Promise.resolve(theirs)),
          refused: field(new GraphQLNonNull(secretType), theirs),
        },
      }),
    }),
    typeNameOf,
  )
  const contextValue = { viewer: { role: 'customer', userId: 'user_1' } }

  test('is null for every field of the type, also if it is promised', async () => {
    const source = '{ mine { text } absent { text } later { text } }'
    expect(await graphql({ schema, source, contextValue })).toEqual({
      data: { mine: { text: 'mine' }, absent: null, later: null },
    })
  })

  test('is FORBIDDEN if the type is non-null', async () => {
    const { errors } = await graphql({ schema, source: '{ refused { text } }', contextValue })
    expect(errors?.[0]?.extensions.code).toBe('FORBIDDEN')
  })
})

test('a subscription is rejected before it starts', async () => {
  let starts = 0
  const changes = {
    ...{ ...text, extensions: { access: administrators } },
    async *subscribe() {
      starts += 1
      yield { changes: 'new' }
    },
  }
  const query = new GraphQLObjectType({ name: 'Query', fields: { open: { ...text, extensions: { access: everyone } } } })
  const subscription = new GraphQLObjectType({ name: 'Subscription', fields: { changes } })
  const schema = guardSchema(new GraphQLSchema({ query, subscription }), typeNameOf)
  const document = parse('subscription { changes }')
  expect(await subscribe({ schema, document, contextValue: { viewer: anonymous } })).toMatchObject({
    errors: [{ extensions: { code: 'UNAUTHENTICATED' } }],
  })
  const events = await subscribe({ schema, document, contextValue: { viewer: administrator } })
  for await (const event of events as AsyncIterable<unknown>) expect(event).toEqual({ data: { changes: 'new' } })
  expect(starts).toBe(1)
})
