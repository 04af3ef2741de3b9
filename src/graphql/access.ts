import { Extensions } from 'type-graphql'

/** Who may use a field; of a type: whose its values are. Obeyed by guardSchema(). Administrators may do everything. */
export type Rule =
  | { state: 'everyone' }
  | { state: 'signed in' }
  | { state: 'administrators' }
  /** Of a field: the user whom its arguments name */
  | { state: 'oneself'; userOf: (args: never) => string }
  /** Of a type: the user to whom a value belongs. For all others it is not there. */
  | { state: 'owner'; ownerOf: (value: never) => string }

/** The rule of a field or a type, beside its declaration. */
export function Access(rule: Rule) {
  return Extensions({ [key]: rule })
}

export const everyone: Rule = { state: 'everyone' }
export const signedIn: Rule = { state: 'signed in' }
export const administrators: Rule = { state: 'administrators' }

export function oneself<Args>(userOf: (args: Args) => string): Rule {
  return { state: 'oneself', userOf }
}

export function owner<Value>(ownerOf: (value: Value) => string): Rule {
  return { state: 'owner', ownerOf }
}

export function ruleOf({ extensions }: { extensions: Readonly<Record<string, unknown>> }): Rule | undefined {
  return extensions[key] as Rule | undefined
}

const key = 'access'
