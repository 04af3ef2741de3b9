import { buildSchema, execute, type GraphQLResolveInfo, type GraphQLSchema, parse } from 'graphql'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { compileQuery } from '../../src/compiled-queries/compile.js'
import { NotCompilableError } from '../../src/compiled-queries/not-compilable.js'
import { ObjectJsonCache } from '../../src/compiled-queries/object-json-cache.js'
import { createMemo } from './memo.js'
import { UnhandledRejections } from './unhandled-rejections.js'

/** A schema whose query fields have these resolvers. */
function schemaOf(definitions: string, values: Record<string, (...args: never[]) => unknown>): GraphQLSchema {
  const schema = buildSchema(definitions)
  const fields = schema.getQueryType()?.getFields() ?? {}
  for (const [name, value] of Object.entries(values)) (fields[name] as { resolve: unknown }).resolve = value
  return schema
}

const objectJsonCache = new ObjectJsonCache({ memo: createMemo(() => false), maxLength: 0 })

function extendType(schema: GraphQLSchema, type: string, members: Record<string, unknown>): GraphQLSchema {
  Object.assign(schema.getType(type) as object, members)
  return schema
}

/** The answers of the compiled query and of graphql-js with JSON.stringify. */
async function executeBoth(schema: GraphQLSchema, source: string, variables: Record<string, unknown> = {}) {
  const document = parse(source)
  const { data, errors } = await execute({ schema, document, variableValues: variables })
  const compiled = await runCompiled(() =>
    compileQuery({ schema, maxSelections: 100, objectJsonCache }, document)(variables, undefined),
  )
  return { compiled, standard: errors ? 'errors' : JSON.stringify(data) }
}

/** The answer, or that the standard execution has to run. */
async function runCompiled(run: () => string | Promise<string>): Promise<string> {
  try {
    return await run()
  } catch {
    return 'fallback'
  }
}

test('a promise of resolveType or isTypeOf is awaited', async () => {
  const definitions = 'interface Node { id: ID } type User implements Node { id: ID } type Query { node: Node }'
  const schema = schemaOf(definitions, { node: () => ({ id: 1 }) })
  extendType(schema, 'Node', { resolveType: async () => 'User' })
  extendType(schema, 'User', { isTypeOf: async () => true })
  const answer = '{"node":{"__typename":"User","id":"1"}}'
  expect(await executeBoth(schema, '{ node { __typename id } }')).toEqual({ compiled: answer, standard: answer })

  extendType(schema, 'User', { isTypeOf: async () => false })
  expect(await executeBoth(schema, '{ node { id } }')).toEqual({ compiled: 'fallback', standard: 'errors' })
  extendType(schema, 'Node', { resolveType: () => Promise.reject(new Error('No type')) })
  expect(await executeBoth(schema, '{ node { id } }')).toEqual({ compiled: 'fallback', standard: 'errors' })
})

test('arguments are validated even if no resolver reads them', async () => {
  const definitions = 'type User { name(short: Boolean!): String } type Query { user: User }'
  const schema = schemaOf(definitions, { user: () => ({ name: 'A' }) })
  const source = 'query ($short: Boolean = true) { user { name(short: $short) } }'
  expect(await executeBoth(schema, source, {})).toEqual({ compiled: '{"user":{"name":"A"}}', standard: '{"user":{"name":"A"}}' })
  expect(await executeBoth(schema, source, { short: null })).toEqual({ compiled: 'fallback', standard: 'errors' })
})

test.each([
  ['a promise', () => Promise.resolve('later')],
  ['a function', () => () => 1],
  ['a symbol', () => Symbol('symbol')],
  ['an object without a JSON form', () => ({ toJSON: () => undefined })],
  ['a big integer', () => 1n],
])('a scalar that serializes to %s is left to the standard execution', async (_, serialize) => {
  const schema = extendType(schemaOf('scalar Own type Query { own: Own }', { own: () => 'value' }), 'Own', { serialize })
  expect(
    await runCompiled(() => compileQuery({ schema, maxSelections: 100, objectJsonCache }, parse('{ own }'))({}, undefined)),
  ).toBe('fallback')
})

test('a thenable that calls back synchronously may fail synchronously', async () => {
  // biome-ignore lint/suspicious/noThenProperty: that is what makes it a thenable
  const immediate = (value: unknown) => ({ then: (use: (value: unknown) => unknown) => use(value) })
  const schema = schemaOf('type Query { int: Int! }', { int: () => immediate('no number') })
  expect(await executeBoth(schema, '{ int }')).toEqual({ compiled: 'fallback', standard: 'errors' })
})

test('a variable may be called __proto__', async () => {
  const schema = schemaOf('type Query { echo(text: String): String }', {
    echo: (_: unknown, args: unknown) => JSON.stringify(args),
  })
  const answer = JSON.stringify({ echo: '{"text":"value"}' })
  expect(
    await executeBoth(schema, 'query ($__proto__: String) { echo(text: $__proto__) }', JSON.parse('{"__proto__":"value"}')),
  ).toEqual({
    ...{ compiled: answer, standard: answer },
  })
})

test('resolveType and isTypeOf receive the info of the field', async () => {
  const definitions = 'interface Node { id: ID } type User implements Node { id: ID } type Query { node: Node }'
  const schema = schemaOf(definitions, { node: () => ({ id: 1 }) })
  const seen: string[] = []
  const record = (info: GraphQLResolveInfo) => {
    seen.push([info.parentType, info.fieldName, info.returnType, info.fieldNodes.length].join(' '))
  }
  const resolveType = (_value: unknown, _context: unknown, info: GraphQLResolveInfo) => {
    record(info)
    return 'User'
  }
  const isTypeOf = (_value: unknown, _context: unknown, info: GraphQLResolveInfo) => {
    record(info)
    return true
  }
  extendType(extendType(schema, 'Node', { resolveType }), 'User', { isTypeOf })
  await executeBoth(schema, '{ node { id } ...{ node { id } } }')
  expect(seen).toEqual(Array(4).fill('Query node Node 2'))
})

test('a list may be a set', async () => {
  const schema = schemaOf('type Query { list: [Int] }', { list: () => new Set([1, Promise.resolve(2)]) })
  expect(await executeBoth(schema, '{ list }')).toEqual({ compiled: '{"list":[1,2]}', standard: '{"list":[1,2]}' })
})

describe('promises in a list with an invalid item may reject too', () => {
  const failing = () => Promise.reject(new Error('no number'))
  let unhandledRejections: UnhandledRejections
  beforeEach(() => {
    unhandledRejections = new UnhandledRejections()
  })
  afterEach(() => unhandledRejections.stop())

  test.each([
    ['an array', () => [failing(), 'no number', failing()]],
    ['a set', () => new Set(['no number', failing()])],
    ['a promised array', async () => ['no number', failing()]],
  ])('in %s', async (_, list) => {
    const schema = schemaOf('type Query { list: [Int] }', { list })
    expect(
      await runCompiled(() => compileQuery({ schema, maxSelections: 100, objectJsonCache }, parse('{ list }'))({}, undefined)),
    ).toBe('fallback')
    expect(await unhandledRejections.take()).toEqual([])
  })
})

test.each([
  ['a mutation', 'mutation { field }'],
  ['a subscription', 'subscription { field }'],
  ['one of two queries', 'query A { field } query B { field }'],
  ['a query with a directive', 'query @own { field }'],
  ['a field with a directive', '{ field @skip(if: false) }'],
  ['a fragment with a directive', '{ ...F } fragment F on Query @own { field }'],
  ['a spread with a directive', '{ ...F @own } fragment F on Query { field }'],
  ['a variable with a directive', 'query ($a: ID @own) { field(a: $a) }'],
  ['introspection', '{ __schema { description } }'],
])('%s is not compiled', (_, source) => {
  const schema = buildSchema('type Query { field(a: ID): ID } type Mutation { field: ID } type Subscription { field: ID }')
  expect(() => compileQuery({ schema, maxSelections: 100, objectJsonCache }, parse(source))).toThrow(NotCompilableError)
})
