import type { ASTVisitor, ValidationContext } from 'graphql'
import { introspectionDisabled } from './errors.js'

/** A rule of validation. `__typename` stays, since clients cannot do without. */
export function noIntrospection(context: ValidationContext): ASTVisitor {
  return {
    Field({ name: { value: name } }) {
      if (name === '__schema' || name === '__type') context.reportError(introspectionDisabled(name))
    },
  }
}
