import type { ASTVisitor, ValidationContext } from 'graphql'
import { introspectionDisabled } from './errors.js'

/** A validation rule that rejects introspection, except `__typename`, which clients need. */
export function noIntrospection(context: ValidationContext): ASTVisitor {
  return {
    Field({ name: { value: name } }) {
      if (name === '__schema' || name === '__type') context.reportError(introspectionDisabled(name))
    },
  }
}
