import { type FieldNode, type GraphQLField, getArgumentValues, isNonNullType, Kind, type ValueNode, visit } from 'graphql'
import { NotCompilableError } from './not-compilable.js'

type Variables = Readonly<Record<string, unknown>>
type Arguments = Record<string, unknown>

/** What an argument is in every request, or the variable that it is, with what stands for it where that is not given. */
type Plan =
  | { name: string; state: 'constant'; value: unknown }
  | { name: string; state: 'variable'; variable: string; isNonNull: boolean; defaultValue: unknown }

/** Gives the arguments of a field from coerced variables, as getArgumentValues() of graphql-js does. Throws where it would. */
export function compileArguments(field: GraphQLField<unknown, unknown>, node: FieldNode): (variables: Variables) => Arguments {
  const valueNodeOf = (name: string) => node.arguments?.find((argument) => argument.name.value === name)?.value
  const isConstant = (name: string) => !usesVariables(valueNodeOf(name))
  const isNested = field.args.some(({ name }) => !isConstant(name) && valueNodeOf(name)?.kind !== Kind.VARIABLE)
  if (isNested) return (variables) => getArgumentValues(field, node, variables)
  const constants = getArgumentValues({ ...field, args: field.args.filter(({ name }) => isConstant(name)) }, node, {})
  const plans = field.args.flatMap(({ name, type, defaultValue }): Plan[] => {
    const value = valueNodeOf(name)
    if (value?.kind === Kind.VARIABLE) {
      return [{ name, state: 'variable', variable: value.name.value, isNonNull: isNonNullType(type), defaultValue }]
    }
    return Object.hasOwn(constants, name) ? [{ name, state: 'constant', value: constants[name] }] : []
  })
  return (variables) => {
    const its: Arguments = {}
    for (const plan of plans) fill(its, plan, variables)
    return its
  }
}

function fill(its: Arguments, plan: Plan, variables: Variables): void {
  if (plan.state === 'constant') {
    its[plan.name] = plan.value
    return
  }
  const isGiven = Object.hasOwn(variables, plan.variable)
  const value = isGiven ? variables[plan.variable] : plan.defaultValue
  if (plan.isNonNull && (value === null || value === undefined)) throw new NotCompilableError('An argument is missing')
  if (isGiven || value !== undefined) its[plan.name] = value
}

function usesVariables(value: ValueNode | undefined): boolean {
  let uses = false
  if (value) {
    visit(value, {
      Variable() {
        uses = true
      },
    })
  }
  return uses
}
