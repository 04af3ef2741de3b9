import { Kind, type ValueNode, valueFromASTUntyped } from 'graphql'

export type Variables = Readonly<Record<string, unknown>>

/**
 * A number, or a function from a request's variables to a number. Most costs do not depend on variables, so they are computed
 * once for a document and stored as a number.
 */
export type CostExpression = number | ((variables: Variables) => number)

export function evaluate(expression: CostExpression, variables: Variables): number {
  return typeof expression === 'number' ? expression : expression(variables)
}

export function plus(expressions: readonly CostExpression[]): CostExpression {
  const constant = expressions.reduce<number>((sum, expression) => (typeof expression === 'number' ? sum + expression : sum), 0)
  const others = expressions.filter((expression) => typeof expression !== 'number')
  if (others.length === 0) return constant
  return (variables) => {
    let sum = constant
    for (const expression of others) sum += expression(variables)
    return sum
  }
}

export function times(a: CostExpression, b: CostExpression): CostExpression {
  if (typeof a === 'number' && typeof b === 'number') return a * b
  return (variables) => evaluate(a, variables) * evaluate(b, variables)
}

export function maxOf(a: CostExpression, b: CostExpression): CostExpression {
  if (typeof a === 'number' && typeof b === 'number') return Math.max(a, b)
  return (variables) => Math.max(evaluate(a, variables), evaluate(b, variables))
}

/** Default values of an operation's variables */
export type Defaults = ReadonlyMap<string, ValueNode | undefined>

/** Returns the result of `interpret` for the values of one or two arguments. The value of an absent argument is undefined. */
export function costExpressionOf(
  [first, second]: readonly [(ValueNode | undefined)?, (ValueNode | undefined)?],
  defaults: Defaults,
  interpret: (first: unknown, second: unknown) => number,
): CostExpression {
  const readFirst = argumentReader(first, defaults)
  const readSecond = argumentReader(second, defaults)
  const isConstant = first?.kind !== Kind.VARIABLE && second?.kind !== Kind.VARIABLE
  if (isConstant) return interpret(readFirst({}), readSecond({}))
  return (variables) => interpret(readFirst(variables), readSecond(variables))
}

function argumentReader(node: ValueNode | undefined, defaults: Defaults): (variables: Variables) => unknown {
  if (node?.kind !== Kind.VARIABLE) {
    const value = node && valueFromASTUntyped(node)
    return () => value
  }
  const name = node.name.value
  const defaultNode = defaults.get(name)
  const defaultValue = defaultNode && valueFromASTUntyped(defaultNode)
  return (variables) => (variables[name] === undefined ? defaultValue : variables[name])
}
