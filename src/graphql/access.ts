// The decorators of TypeGraphQL need this module to be loaded first. Every resolver imports this file, in whatever order
// resolvers are loaded.
import 'reflect-metadata'
import { Extensions } from 'type-graphql'

/**
 * The rule of a field states who may use the field. The rule of a type states who may see the values of the type. guardSchema()
 * enforces the rules. Administrators may use every field and see every value.
 */
export type Rule =
  | { state: 'everyone' }
  | { state: 'signed in' }
  | { state: 'administrators' }
  /** This rule is for fields. Only the user whose id is in the arguments may use the field. */
  | { state: 'oneself'; userOf: (args: never) => string }
  /**
   * This rule is for types. Only the user who owns a value sees the value. Other users see null, or FORBIDDEN if the field's type
   * is non-null.
   */
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
