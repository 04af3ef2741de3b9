import { readFileSync } from 'node:fs'
import {
  buildSchema,
  DangerousChangeType,
  findBreakingChanges,
  findDangerousChanges,
  type GraphQLSchema,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isObjectType,
} from 'graphql'
import { describe, expect, test } from 'vitest'
import { createSchema, printSchema } from '../../src/graphql/schema.js'

const schema = createSchema()

test('schema.graphql is the schema that is served', () => {
  const written = readFileSync('schema.graphql', 'utf8')
  expect(written === printSchema(schema), 'schema.graphql has drifted from the resolvers: run npm run schema').toBe(true)
})

test('what is printed is the schema that is served', () => {
  const printed = buildSchema(printSchema(schema))
  expect([...findBreakingChanges(printed, schema), ...findBreakingChanges(schema, printed)]).toEqual([])
  expect(descriptions(printed)).toEqual(descriptions(schema))
})

describe('what clients rely on', () => {
  const contract = buildSchema(readFileSync('test/contract.graphql', 'utf8'))

  test('is all there, and as it was', () => {
    expect(findBreakingChanges(contract, schema)).toEqual([])
    const changedDefaults = findDangerousChanges(contract, schema).filter(
      ({ type }) => type === DangerousChangeType.ARG_DEFAULT_VALUE_CHANGE,
    )
    expect(changedDefaults).toEqual([])
  })

  test('is described in the same words, or more', () => {
    const ours = descriptions(schema)
    const promised = descriptions(contract)
    expect(promised.size).toBeGreaterThan(20)
    for (const [place, description] of promised) {
      expect({ place, description: ours.get(place) }).toEqual({ place, description: expect.stringContaining(description) })
    }
  })
})

test('every field of Query and Mutation has a resolver', () => {
  const fields = [schema.getQueryType(), schema.getMutationType()].flatMap((type) => Object.values(type?.getFields() ?? {}))
  expect(fields.length).toBeGreaterThan(15)
  expect(fields.filter(({ resolve }) => resolve === undefined).map(({ name }) => name)).toEqual([])
})

/** By place, such as User.orders(first); only what has one. */
function descriptions(from: GraphQLSchema): Map<string, string> {
  const places: [string, string | null | undefined][] = []
  for (const type of Object.values(from.getTypeMap())) {
    if (type.name.startsWith('__')) continue
    places.push([type.name, type.description])
    if (isEnumType(type)) {
      for (const value of type.getValues()) places.push([`${type.name}.${value.name}`, value.description])
    }
    if (isInputObjectType(type)) {
      for (const field of Object.values(type.getFields())) places.push([`${type.name}.${field.name}`, field.description])
    }
    if (isObjectType(type) || isInterfaceType(type)) {
      for (const { name, description, args } of Object.values(type.getFields())) {
        places.push([`${type.name}.${name}`, description])
        for (const argument of args) places.push([`${type.name}.${name}(${argument.name})`, argument.description])
      }
    }
  }
  return new Map(places.filter((place): place is [string, string] => Boolean(place[1])))
}
