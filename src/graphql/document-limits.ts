import type { ParseOptions, ValidationRule } from 'graphql'
import { noIntrospection } from './no-introspection.js'
import { limitNames, limitStructure } from './structure.js'

/** Characters of a document, white space and comments included: it is kept as a whole. */
export const maxSourceLength = 32_768

/** A document with more takes longer to validate than most take to be answered. */
export const parseOptions: ParseOptions = { maxTokens: 1_000 }

/** Who has made so many mistakes mends them first. */
export const validationOptions = { maxErrors: 20 }

/** Rules beyond those of the specification */
export function validationRules(tellsSchema: boolean): ValidationRule[] {
  const limits = [limitStructure(structureLimits), limitNames(maxNameLength)]
  return tellsSchema ? limits : [...limits, noIntrospection]
}

/** Four connections within each other, by their edges, are 17 levels deep; introspection is 15. */
const structureLimits = { depth: 20, fields: 1_000, rootFields: 20, aliases: 30, directives: 50 }
/** An alias stands in an answer for each row. */
const maxNameLength = 256
