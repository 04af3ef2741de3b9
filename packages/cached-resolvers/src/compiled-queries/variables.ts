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

/**
 * Returns a function that coerces the variables of a request. The function throws NotCompilableError if a variable is invalid.
 */
export function compileVariables(
  schema: GraphQLSchema,
  definitions: readonly VariableDefinitionNode[],
): (inputs: Inputs) => Inputs {
  if (definitions.some(({ directives }) => directives?.length)) throw new NotCompilableError('Directives are not compiled')
  if (definitions.length === 0) return () => noVariables
  const stringNames = definitions
    .filter((definition) => isStringVariable(schema, definition))
    .map(({ variable }) => variable.name.value)
  // pick() cannot copy a variable named __proto__, because an assignment to that property would set the prototype.
  const allAreStrings = stringNames.length === definitions.length && !stringNames.includes('__proto__')
  return (inputs) => {
    if (allAreStrings && stringNames.every((name) => typeof inputs[name] === 'string' && Object.hasOwn(inputs, name)))
      return pick(inputs, stringNames)
    const { coerced } = getVariableValues(schema, definitions, inputs)
    if (!coerced) throw new NotCompilableError('A variable is invalid')
    return coerced
  }
}

const noVariables = Object.freeze({})

/** Whether coercion to the variable's type leaves strings unchanged */
function isStringVariable(schema: GraphQLSchema, { type: node }: VariableDefinitionNode): boolean {
  const type = typeFromAST(schema, node as Parameters<typeof typeFromAST>[1])
  if (!type || !isInputType(type)) throw new NotCompilableError('A variable has an unknown type')
  const nullable = getNullableType(type)
  return nullable === GraphQLID || nullable === GraphQLString
}

function pick(inputs: Inputs, names: readonly string[]): Inputs {
  const picked: Record<string, unknown> = {}
  for (const name of names) picked[name] = inputs[name]
  return picked
}
