import { type FieldNode, type GraphQLField, getArgumentValues, isNonNullType, Kind, type ValueNode, visit } from 'graphql'
import { NotCompilableError } from './not-compilable.js'

type Variables = Readonly<Record<string, unknown>>
type Arguments = Record<string, unknown>

/** A constant argument has the same value in every request. A variable argument takes its value from the request's variables. */
type ArgumentPlan =
  | { name: string; state: 'constant'; value: unknown }
  | { name: string; state: 'variable'; variable: string; isNonNull: boolean; defaultValue: unknown }

/**
 * Returns a function from coerced variables to the arguments of a field. The function returns the same arguments as
 * getArgumentValues() of graphql-js, and throws if getArgumentValues() would throw.
 */
export function compileArguments(field: GraphQLField<unknown, unknown>, node: FieldNode): (variables: Variables) => Arguments {
  const valueNodeOf = (name: string) => node.arguments?.find((argument) => argument.name.value === name)?.value
  const isConstant = (name: string) => !usesVariables(valueNodeOf(name))
  const hasNestedVariables = field.args.some(({ name }) => !isConstant(name) && valueNodeOf(name)?.kind !== Kind.VARIABLE)
  if (hasNestedVariables) return (variables) => getArgumentValues(field, node, variables)
  const constants = getArgumentValues({ ...field, args: field.args.filter(({ name }) => isConstant(name)) }, node, {})
  const plans = field.args.flatMap(({ name, type, defaultValue }): ArgumentPlan[] => {
    const value = valueNodeOf(name)
    if (value?.kind === Kind.VARIABLE) {
      return [{ name, state: 'variable', variable: value.name.value, isNonNull: isNonNullType(type), defaultValue }]
    }
    return Object.hasOwn(constants, name) ? [{ name, state: 'constant', value: constants[name] }] : []
  })
  return (variables) => {
    const args: Arguments = {}
    for (const plan of plans) setArgument(args, plan, variables)
    return args
  }
}

function setArgument(args: Arguments, plan: ArgumentPlan, variables: Variables): void {
  if (plan.state === 'constant') {
    args[plan.name] = plan.value
    return
  }
  const isProvided = Object.hasOwn(variables, plan.variable)
  const value = isProvided ? variables[plan.variable] : plan.defaultValue
  if (plan.isNonNull && (value === null || value === undefined)) throw new NotCompilableError('A required argument is missing')
  if (isProvided || value !== undefined) args[plan.name] = value
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
