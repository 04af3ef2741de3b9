import { Extensions } from 'type-graphql'

/** On a field: who may use it. On a type: who owns its values. Enforced by guardSchema(). Administrators may do everything. */
export type Rule =
  | { state: 'everyone' }
  | { state: 'signed in' }
  | { state: 'administrators' }
  /** On a field: only the user named by its arguments */
  | { state: 'oneself'; userOf: (args: never) => string }
  /** On a type: only the user who owns the value. For all others the value is null. */
  | { state: 'owner'; ownerOf: (value: never) => string }

/** Declares the access rule of a field or a type. */
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
