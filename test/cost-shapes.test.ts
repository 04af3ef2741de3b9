import { isInputObjectType, isObjectType, parse, TypeInfo, validate, visit, visitWithTypeInfo } from 'graphql'
import { expect, test } from 'vitest'
import { costShapes } from '../bench/harness/cost-shapes.js'
import { createSchema } from '../src/graphql/schema.js'

test('the cost benchmark has requests for every field, argument and input field of the schema', () => {
  const schema = createSchema()
  const types = Object.values(schema.getTypeMap()).filter(({ name }) => !name.startsWith('__'))
  const missing = new Set(
    types.flatMap((type) => {
      if (isInputObjectType(type)) return Object.keys(type.getFields()).map((name) => `${type.name}.${name}`)
      if (!isObjectType(type)) return []
      const fields = Object.values(type.getFields())
      return fields.flatMap(({ name, args }) => [
        `${type.name}.${name}`,
        ...args.map((argument) => `${type.name}.${name}(${argument.name}:)`),
      ])
    }),
  )
  for (const { request } of costShapes) {
    const { query = '', variables } = request(0)
    const document = query === '' ? undefined : tryParse(query)
    if (!document || validate(schema, document).length > 0) continue
    const info = new TypeInfo(schema)
    visit(
      document,
      visitWithTypeInfo(info, {
        Field: () => void missing.delete(`${info.getParentType()?.name}.${info.getFieldDef()?.name}`),
        Argument: () =>
          void missing.delete(`${info.getParentType()?.name}.${info.getFieldDef()?.name}(${info.getArgument()?.name}:)`),
        VariableDefinition: ({ variable, type }) => {
          const named = types.find(({ name }) => name === /\w+/.exec(query.slice(type.loc?.start))?.[0])
          const [value] = [variables?.[variable.name.value]].flat()
          if (isInputObjectType(named)) for (const name of Object.keys(value ?? {})) missing.delete(`${named.name}.${name}`)
        },
      }),
    )
  }
  expect([...missing]).toEqual([])
})

function tryParse(query: string) {
  try {
    return parse(query)
  } catch {
    return undefined
  }
}
