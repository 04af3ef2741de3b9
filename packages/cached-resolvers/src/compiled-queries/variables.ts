import {
  GraphQLID,
  type GraphQLSchema,
  GraphQLString,
  getNullableType,
  getVariableValues,
  isInputType,
  typeFromAST,
  type VariableDefinitionNode,
} from 'graphql'
import { NotCompilableError } from './not-compilable.js'

type Inputs = Readonly<Record<string, unknown>>

/** Coerces the variables of a request. Throws NotCompilableError for those that have a fault. */
export function compileVariables(
  schema: GraphQLSchema,
  definitions: readonly VariableDefinitionNode[],
): (inputs: Inputs) => Inputs {
  if (definitions.some(({ directives }) => directives?.length)) throw new NotCompilableError('Directives are not compiled')
  if (definitions.length === 0) return () => nothing
  const texts = definitions.filter((definition) => isText(schema, definition)).map(({ variable }) => variable.name.value)
  // An assignment to __proto__ adds nothing.
  const allAreTexts = texts.length === definitions.length && !texts.includes('__proto__')
  return (inputs) => {
    if (allAreTexts && texts.every((name) => typeof inputs[name] === 'string' && Object.hasOwn(inputs, name)))
      return pick(inputs, texts)
    const { coerced } = getVariableValues(schema, definitions, inputs)
    if (!coerced) throw new NotCompilableError('A variable has a fault')
    return coerced
  }
}

const nothing = Object.freeze({})

/** A string is such a variable's value as it is. */
function isText(schema: GraphQLSchema, { type: node }: VariableDefinitionNode): boolean {
  const type = typeFromAST(schema, node as Parameters<typeof typeFromAST>[1])
  if (!type || !isInputType(type)) throw new NotCompilableError('A variable of an unknown type')
  const its = getNullableType(type)
  return its === GraphQLID || its === GraphQLString
}

function pick(inputs: Inputs, names: readonly string[]): Inputs {
  const picked: Record<string, unknown> = {}
  for (const name of names) picked[name] = inputs[name]
  return picked
}
