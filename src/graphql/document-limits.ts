import type { ParseOptions, ValidationRule } from 'graphql'
import { noIntrospection } from './no-introspection.js'
import { limitNames, limitStructure } from './structure.js'

/** Maximum characters of a document. White space and comments count, because the document store stores them too. */
export const maxSourceLength = 32_768

/** A document with more tokens takes longer to validate than most requests take in total. */
export const parseOptions: ParseOptions = { maxTokens: 1_000 }

/** Stop validating after 20 errors. */
export const validationOptions = { maxErrors: 20 }

/** Validation rules in addition to those of the specification */
export function validationRules(allowsIntrospection: boolean): ValidationRule[] {
  const limits = [limitStructure(structureLimits), limitNames(maxNameLength)]
  return allowsIntrospection ? limits : [...limits, noIntrospection]
}

/** Four nested connections, selected through their edges, are 17 levels deep; the introspection query is 15. */
const structureLimits = { depth: 20, fields: 1_000, rootFields: 20, aliases: 30, directives: 50 }
/** Maximum characters of a name. The response repeats an alias for every row. */
const maxNameLength = 256
