import { readFileSync } from 'node:fs'
import {
  buildSchema,
  DangerousChangeType,
  findBreakingChanges,
  findDangerousChanges,
  type GraphQLNamedType,
  type GraphQLSchema,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isObjectType,
  isSpecifiedDirective,
  isSpecifiedScalarType,
} from 'graphql'
import { describe, expect, test } from 'vitest'
import { createSchema, printSchema } from '../../src/graphql/schema.js'

const schema = createSchema()

test('schema.graphql is the schema that is served', () => {
  const written = readFileSync('schema.graphql', 'utf8')
  expect(written === printSchema(schema), 'schema.graphql has drifted from the resolvers: run npm run schema').toBe(true)
})

test('the printed schema equals the served schema', () => {
  const printed = buildSchema(printSchema(schema))
  expect([...findBreakingChanges(printed, schema), ...findBreakingChanges(schema, printed)]).toEqual([])
  expect(descriptions(printed)).toEqual(descriptions(schema))
})

test('every type, field, argument, input field and value has a description', () => {
  const undescribed = describedElements(schema).filter(([, description]) => !description)
  expect(undescribed.map(([path]) => path)).toEqual([])
})

describe('the contract with clients', () => {
  const contract = buildSchema(readFileSync('test/contract.graphql', 'utf8'))

  test('is fulfilled without breaking changes', () => {
    expect(findBreakingChanges(contract, schema)).toEqual([])
    const changedDefaults = findDangerousChanges(contract, schema).filter(
      ({ type }) => type === DangerousChangeType.ARG_DEFAULT_VALUE_CHANGE,
    )
    expect(changedDefaults).toEqual([])
  })

  test('keeps its descriptions, which may be extended', () => {
    const ours = descriptions(schema)
    const expected = descriptions(contract)
    expect(expected.size).toBeGreaterThan(20)
    for (const [path, description] of expected) {
      expect({ path, description: ours.get(path) }).toEqual({ path, description: expect.stringContaining(description) })
    }
  })
})

test('every field of Query and Mutation has a resolver', () => {
  const fields = [schema.getQueryType(), schema.getMutationType()].flatMap((type) => Object.values(type?.getFields() ?? {}))
  expect(fields.length).toBeGreaterThan(15)
  expect(fields.filter(({ resolve }) => resolve === undefined).map(({ name }) => name)).toEqual([])
})

/** Descriptions by path, such as User.orders(first). */
function descriptions(from: GraphQLSchema): Map<string, string> {
  return new Map(describedElements(from).filter((entry): entry is [string, string] => Boolean(entry[1])))
}

/** Everything that may have a description, without the types and directives of GraphQL itself. */
function describedElements(from: GraphQLSchema): [path: string, description: string | null | undefined][] {
  const types = Object.values(from.getTypeMap()).filter((type) => !type.name.startsWith('__') && !isSpecifiedScalarType(type))
  const directives = from.getDirectives().filter((directive) => !isSpecifiedDirective(directive))
  return [
    ...types.flatMap(
      (type): ReturnType<typeof describedElements> => [
        [type.name, type.description],
        ...membersOf(type).flatMap((member) => withArguments(`${type.name}.${member.name}`, member)),
      ],
    ),
    ...directives.flatMap((directive) => withArguments(`@${directive.name}`, directive)),
  ]
}

interface Described {
  name: string
  description?: string | null | undefined
  args?: readonly Described[]
}

function membersOf(type: GraphQLNamedType): readonly Described[] {
  if (isEnumType(type)) return type.getValues()
  return isInputObjectType(type) || isObjectType(type) || isInterfaceType(type) ? Object.values(type.getFields()) : []
}

function withArguments(path: string, { description, args = [] }: Described): ReturnType<typeof describedElements> {
  return [
    [path, description],
    ...args.map((argument): [string, typeof description] => [`${path}(${argument.name})`, argument.description]),
  ]
}
