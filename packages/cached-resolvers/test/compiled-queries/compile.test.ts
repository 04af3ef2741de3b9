import { buildSchema, execute, type GraphQLResolveInfo, type GraphQLSchema, parse } from 'graphql'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { compileQuery } from '../../src/compiled-queries/compile.js'
import { NotCompilableError } from '../../src/compiled-queries/not-compilable.js'
import { Pieces } from '../../src/compiled-queries/pieces.js'
import { Forgotten } from './forgotten.js'
import { createNotes } from './notes.js'

/** A schema whose query fields give these values. */
function schemaOf(definitions: string, values: Record<string, () => unknown>): GraphQLSchema {
  const schema = buildSchema(definitions)
  const fields = schema.getQueryType()?.getFields() ?? {}
  for (const [name, value] of Object.entries(values)) (fields[name] as { resolve: unknown }).resolve = value
  return schema
}

const pieces = new Pieces({ notes: createNotes(() => false), maxLength: 0 })

function equip(schema: GraphQLSchema, type: string, members: Record<string, unknown>): GraphQLSchema {
  Object.assign(schema.getType(type) as object, members)
  return schema
}

/** The lane's answer, and what graphql-js and JSON.stringify make of the same. */
async function both(schema: GraphQLSchema, source: string, variables: Record<string, unknown> = {}) {
  const document = parse(source)
  const { data, errors } = await execute({ schema, document, variableValues: variables })
  const lane = await inLane(() => compileQuery({ schema, maxFields: 100, pieces }, document)(variables, undefined))
  return { lane, ordinary: errors ? 'errors' : JSON.stringify(data) }
}

/** The answer, or that there is none. */
async function inLane(run: () => string | Promise<string>): Promise<string> {
  try {
    return await run()
  } catch {
    return 'refused'
  }
}

test('a type that is told by a promise is waited for', async () => {
  const definitions = 'interface Node { id: ID } type User implements Node { id: ID } type Query { node: Node }'
  const schema = schemaOf(definitions, { node: () => ({ id: 1 }) })
  equip(schema, 'Node', { resolveType: async () => 'User' })
  equip(schema, 'User', { isTypeOf: async () => true })
  const answer = '{"node":{"__typename":"User","id":"1"}}'
  expect(await both(schema, '{ node { __typename id } }')).toEqual({ lane: answer, ordinary: answer })

  equip(schema, 'User', { isTypeOf: async () => false })
  expect(await both(schema, '{ node { id } }')).toEqual({ lane: 'refused', ordinary: 'errors' })
  equip(schema, 'Node', { resolveType: () => Promise.reject(new Error('No type')) })
  expect(await both(schema, '{ node { id } }')).toEqual({ lane: 'refused', ordinary: 'errors' })
})

test('arguments are looked at even where nobody reads them', async () => {
  const definitions = 'type User { name(short: Boolean!): String } type Query { user: User }'
  const schema = schemaOf(definitions, { user: () => ({ name: 'A' }) })
  const source = 'query ($short: Boolean = true) { user { name(short: $short) } }'
  expect(await both(schema, source, {})).toEqual({ lane: '{"user":{"name":"A"}}', ordinary: '{"user":{"name":"A"}}' })
  expect(await both(schema, source, { short: null })).toEqual({ lane: 'refused', ordinary: 'errors' })
})

test.each([
  ['a promise', () => Promise.resolve('later')],
  ['a function', () => () => 1],
  ['a symbol', () => Symbol('its')],
  ['nothing for JSON', () => ({ toJSON: () => undefined })],
  ['a big integer', () => 1n],
])('a scalar that gives %s is for the ordinary execution', async (_, serialize) => {
  const schema = equip(schemaOf('scalar Own type Query { own: Own }', { own: () => 'value' }), 'Own', { serialize })
  expect(await inLane(() => compileQuery({ schema, maxFields: 100, pieces }, parse('{ own }'))({}, undefined))).toBe('refused')
})

test('what calls back at once may fail at once', async () => {
  // biome-ignore lint/suspicious/noThenProperty: that is what makes it one
  const immediate = (value: unknown) => ({ then: (use: (value: unknown) => unknown) => use(value) })
  const schema = schemaOf('type Query { int: Int! }', { int: () => immediate('no number') })
  expect(await both(schema, '{ int }')).toEqual({ lane: 'refused', ordinary: 'errors' })
})

test('a variable may be called __proto__', async () => {
  const schema = schemaOf('type Query { echo(text: String): String }', { echo: (...its: unknown[]) => JSON.stringify(its[1]) })
  const answer = JSON.stringify({ echo: '{"text":"its"}' })
  expect(await both(schema, 'query ($__proto__: String) { echo(text: $__proto__) }', JSON.parse('{"__proto__":"its"}'))).toEqual({
    ...{ lane: answer, ordinary: answer },
  })
})

test('who tells a type sees the field that it is for', async () => {
  const definitions = 'interface Node { id: ID } type User implements Node { id: ID } type Query { node: Node }'
  const schema = schemaOf(definitions, { node: () => ({ id: 1 }) })
  const seen: string[] = []
  const see = (info: GraphQLResolveInfo) => {
    seen.push([info.parentType, info.fieldName, info.returnType, info.fieldNodes.length].join(' '))
  }
  const resolveType = (...its: [unknown, unknown, GraphQLResolveInfo]) => {
    see(its[2])
    return 'User'
  }
  const isTypeOf = (...its: [unknown, unknown, GraphQLResolveInfo]) => {
    see(its[2])
    return true
  }
  equip(equip(schema, 'Node', { resolveType }), 'User', { isTypeOf })
  await both(schema, '{ node { id } ...{ node { id } } }')
  expect(seen).toEqual(Array(4).fill('Query node Node 2'))
})

test('a list may be a set', async () => {
  const schema = schemaOf('type Query { list: [Int] }', { list: () => new Set([1, Promise.resolve(2)]) })
  expect(await both(schema, '{ list }')).toEqual({ lane: '{"list":[1,2]}', ordinary: '{"list":[1,2]}' })
})

describe('what is promised in a list that has a fault may fail as well', () => {
  const failing = () => Promise.reject(new Error('no number'))
  let forgotten: Forgotten
  beforeEach(() => {
    forgotten = new Forgotten()
  })
  afterEach(() => forgotten.stop())

  test.each([
    ['an array', () => [failing(), 'no number', failing()]],
    ['a set', () => new Set(['no number', failing()])],
    ['an array that is promised', async () => ['no number', failing()]],
  ])('in %s', async (_, list) => {
    const schema = schemaOf('type Query { list: [Int] }', { list })
    expect(await inLane(() => compileQuery({ schema, maxFields: 100, pieces }, parse('{ list }'))({}, undefined))).toBe('refused')
    expect(await forgotten.take()).toEqual([])
  })
})

test.each([
  ['a mutation', 'mutation { its }'],
  ['a subscription', 'subscription { its }'],
  ['one of two queries', 'query A { its } query B { its }'],
  ['a query with a directive', 'query @own { its }'],
  ['a field with a directive', '{ its @skip(if: false) }'],
  ['a fragment with a directive', '{ ...F } fragment F on Query @own { its }'],
  ['a spread with a directive', '{ ...F @own } fragment F on Query { its }'],
  ['a variable with a directive', 'query ($a: ID @own) { its(a: $a) }'],
  ['introspection', '{ __schema { description } }'],
])('%s is not compiled', (_, source) => {
  const schema = buildSchema('type Query { its(a: ID): ID } type Mutation { its: ID } type Subscription { its: ID }')
  expect(() => compileQuery({ schema, maxFields: 100, pieces }, parse(source))).toThrow(NotCompilableError)
})
