import { type GraphQLObjectType, type GraphQLSchema, graphql } from 'graphql'
import {
  Arg,
  Args,
  ArgsType,
  buildSchemaSync,
  Ctx,
  Field,
  FieldResolver,
  ID,
  InputType,
  Int,
  ObjectType,
  Query,
  Resolver,
  Root,
  registerEnumType,
  UseMiddleware,
} from 'type-graphql'
import { describe, expect, test } from 'vitest'
import { bypassTypeGraphQLWrappers } from '../../src/graphql/bypass-typegraphql-wrappers.js'

enum Colour {
  red = 'RED',
}
registerEnumType(Colour, { name: 'Colour' })

@ArgsType()
class Range {
  @Field(() => Int, { nullable: true })
  first?: number

  @Field(() => Int, { defaultValue: 7 })
  last!: number
}

@InputType()
class Filter {
  @Field(() => String)
  text!: string

  get loud() {
    return this.text.toUpperCase()
  }
}

@InputType()
class Search {
  @Field(() => Filter)
  filter!: Filter
}

@ObjectType('Thing', { simpleResolvers: true })
class Thing {
  @Field(() => ID)
  id!: string
}

/** The methods return their parameters as JSON, to compare values and types. */
@Resolver(() => Thing)
class EchoResolver {
  private readonly own = 'own'

  @Query(() => String)
  plain(@Ctx('who') who: string, @Arg('id', () => ID) id: string, @Arg('ids', () => [ID], { nullable: true }) ids?: string[]) {
    return JSON.stringify([this.own, who, id, ids === undefined ? 'absent' : ids])
  }

  @Query(() => String)
  range(@Args(() => Range) range: Range) {
    return JSON.stringify([range instanceof Range, range])
  }

  @Query(() => String)
  mixed(@Arg('id', () => ID) id: string, @Args(() => Range) range: Range) {
    return JSON.stringify([id, range])
  }

  @Query(() => String)
  enumerated(@Arg('colour', () => Colour) colour: Colour) {
    return colour
  }

  @Query(() => String)
  filtered(@Arg('filter', () => Filter, { nullable: true }) filter?: Filter | null) {
    return filter ? filter.loud : String(filter)
  }

  @Query(() => String)
  converted(@Arg('search', () => Search) { filter }: Search) {
    return filter.loud
  }

  @UseMiddleware(async (_, next) => `${await next()} and more`)
  @Query(() => String)
  after(@Arg('id', () => ID) id: string) {
    return id
  }

  @Query(() => Thing)
  thing() {
    return { id: 'a' }
  }

  @FieldResolver(() => String)
  whole(@Root() { id }: { id: string }, @Root('id') rootId: string, @Ctx() { who }: { who: string }) {
    return [id, rootId, who].join()
  }
}

const instance = new EchoResolver()
const createSchema = () => buildSchemaSync({ resolvers: [EchoResolver], validate: false, container: { get: () => instance } })
const asTypeGraphql = createSchema()
const direct = createSchema()
bypassTypeGraphQLWrappers(direct, () => instance)

const run = (schema: GraphQLSchema, source: string) => graphql({ schema, source, contextValue: { who: 'me' } })

describe('a directly called method receives the same parameters as from TypeGraphQL', () => {
  test.each([
    '{ plain(id: 1) }',
    '{ plain(id: "a", ids: ["b", "c"]) }',
    '{ plain(id: "a", ids: null) }',
    '{ range }',
    '{ range(first: 3, last: 4) }',
    '{ mixed(id: "a", first: 3) }',
    '{ enumerated(colour: red) }',
    '{ filtered(filter: { text: "a" }) }',
    '{ filtered(filter: null) }',
    '{ filtered }',
    '{ converted(search: { filter: { text: "a" } }) }',
    '{ after(id: "a") }',
    '{ thing { id whole } }',
  ])('%s', async (source) => {
    const expected = await run(asTypeGraphql, source)
    expect(expected.errors).toBeUndefined()
    expect(await run(direct, source)).toEqual(expected)
  })
})

test('only methods without middleware and without arguments to convert are called directly', () => {
  const fields = (type: string) => Object.entries((direct.getType(type) as GraphQLObjectType).getFields())
  const before = (type: string, name: string) => (asTypeGraphql.getType(type) as GraphQLObjectType).getFields()[name]?.resolve
  const replaced = ['Query', 'Thing'].flatMap((type) =>
    fields(type)
      .filter(([name, { resolve }]) => resolve && !isSameCode(resolve, before(type, name)))
      .map(([name]) => name),
  )
  expect(replaced.sort()).toEqual(['enumerated', 'filtered', 'mixed', 'plain', 'range', 'thing', 'whole'])
})

function isSameCode(a: unknown, b: unknown): boolean {
  return String(a) === String(b)
}
