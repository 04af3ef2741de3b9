import { Kind, type ValueNode, valueFromASTUntyped } from 'graphql'

export type Variables = Readonly<Record<string, unknown>>

/** A number, or what it is under the variables of a request: most are the same in every request, and then cost nothing to know. */
export type Term = number | ((variables: Variables) => number)

export function evaluate(term: Term, variables: Variables): number {
  return typeof term === 'number' ? term : term(variables)
}

export function plus(terms: readonly Term[]): Term {
  const constant = terms.reduce<number>((sum, term) => (typeof term === 'number' ? sum + term : sum), 0)
  const others = terms.filter((term) => typeof term !== 'number')
  if (others.length === 0) return constant
  return (variables) => {
    let sum = constant
    for (const term of others) sum += term(variables)
    return sum
  }
}

export function times(a: Term, b: Term): Term {
  if (typeof a === 'number' && typeof b === 'number') return a * b
  return (variables) => evaluate(a, variables) * evaluate(b, variables)
}

export function atLeast(a: Term, b: Term): Term {
  if (typeof a === 'number' && typeof b === 'number') return Math.max(a, b)
  return (variables) => Math.max(evaluate(a, variables), evaluate(b, variables))
}

/** The values of an operation's variables where a request gives none */
export type Defaults = ReadonlyMap<string, ValueNode | undefined>

/** What `interpret` makes of one or two arguments, absent ones being undefined. */
export function termOf(
  [first, second]: readonly [(ValueNode | undefined)?, (ValueNode | undefined)?],
  defaults: Defaults,
  interpret: (first: unknown, second: unknown) => number,
): Term {
  const readFirst = reader(first, defaults)
  const readSecond = reader(second, defaults)
  const isConstant = first?.kind !== Kind.VARIABLE && second?.kind !== Kind.VARIABLE
  if (isConstant) return interpret(readFirst({}), readSecond({}))
  return (variables) => interpret(readFirst(variables), readSecond(variables))
}

function reader(node: ValueNode | undefined, defaults: Defaults): (variables: Variables) => unknown {
  if (node?.kind !== Kind.VARIABLE) {
    const value = node && valueFromASTUntyped(node)
    return () => value
  }
  const name = node.name.value
  const defaultNode = defaults.get(name)
  const defaultValue = defaultNode && valueFromASTUntyped(defaultNode)
  return (variables) => (variables[name] === undefined ? defaultValue : variables[name])
}
