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

test('the printed schema equals the served schema', () => {
  const printed = buildSchema(printSchema(schema))
  expect([...findBreakingChanges(printed, schema), ...findBreakingChanges(schema, printed)]).toEqual([])
  expect(descriptions(printed)).toEqual(descriptions(schema))
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
  const entries: [string, string | null | undefined][] = []
  for (const type of Object.values(from.getTypeMap())) {
    if (type.name.startsWith('__')) continue
    entries.push([type.name, type.description])
    if (isEnumType(type)) {
      for (const value of type.getValues()) entries.push([`${type.name}.${value.name}`, value.description])
    }
    if (isInputObjectType(type)) {
      for (const field of Object.values(type.getFields())) entries.push([`${type.name}.${field.name}`, field.description])
    }
    if (isObjectType(type) || isInterfaceType(type)) {
      for (const { name, description, args } of Object.values(type.getFields())) {
        entries.push([`${type.name}.${name}`, description])
        for (const argument of args) entries.push([`${type.name}.${name}(${argument.name})`, argument.description])
      }
    }
  }
  return new Map(entries.filter((entry): entry is [string, string] => Boolean(entry[1])))
}
