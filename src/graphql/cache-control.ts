import {
  DirectiveLocation,
  type DirectiveNode,
  type DocumentNode,
  GraphQLBoolean,
  GraphQLDirective,
  GraphQLEnumType,
  type GraphQLField,
  GraphQLInt,
  type GraphQLSchema,
  getDirectiveValues,
  getNamedType,
  isCompositeType,
  OperationTypeNode,
  TypeInfo,
  visit,
  visitWithTypeInfo,
} from 'graphql'
import { ruleOf } from './access.js'

type Scope = 'PUBLIC' | 'PRIVATE'

const cacheControlScope = new GraphQLEnumType({
  name: 'CacheControlScope',
  values: {
    PUBLIC: { description: 'The same for everybody' },
    PRIVATE: { description: 'Depends on who asks, or is about somebody' },
  },
})

/** Apollo's, so that its tools know it: https://www.apollographql.com/docs/apollo-server/performance/caching */
export const cacheControlDirective = new GraphQLDirective({
  name: 'cacheControl',
  description: 'How long, in seconds, and by whom an answer with this may be stored; 0: it is asked for again each time',
  locations: [DirectiveLocation.FIELD_DEFINITION, DirectiveLocation.OBJECT, DirectiveLocation.INTERFACE, DirectiveLocation.UNION],
  args: {
    maxAge: { type: GraphQLInt },
    scope: { type: cacheControlScope },
    inheritMaxAge: { type: GraphQLBoolean, description: 'As long as what it stands in' },
  },
})

/** Whether an answer may be stored by whoever passes it on (PUBLIC) or by the one who asked (PRIVATE), and for how many seconds */
export type CachePolicy = { state: 'unstored' } | { state: 'stored'; maxAge: number; scope: Scope }

/**
 * The strictest of all that a valid document asks for, skipped or not. What nobody gave a hint for is not stored; of the fields of an
 * object, which are as old as it is, only those with a hint count.
 */
export function cachePolicyOf(schema: GraphQLSchema, document: DocumentNode): CachePolicy {
  const types = new TypeInfo(schema)
  const hints: Hint[] = []
  let isQuery = true
  const visitor = visitWithTypeInfo(types, {
    OperationDefinition({ operation }) {
      isQuery &&= operation === OperationTypeNode.QUERY
    },
    Field() {
      const field = types.getFieldDef()
      if (field && field.name !== '__typename') hints.push(hintOf(field, types.getParentType() === schema.getQueryType()))
    },
  })
  visit(document, visitor)
  return isQuery ? strictest(hints) : { state: 'unstored' }
}

/** Of one field of a document */
interface Hint {
  maxAge: number | 'inherited' | 'not given'
  scope: Scope | undefined
}

function strictest(hints: readonly Hint[]): CachePolicy {
  const maxAges = hints.map(({ maxAge }) => maxAge)
  const numbers = maxAges.filter((maxAge) => typeof maxAge === 'number')
  if (numbers.length === 0 || maxAges.includes('not given')) return { state: 'unstored' }
  const scope = hints.some((hint) => hint.scope === 'PRIVATE') ? 'PRIVATE' : 'PUBLIC'
  return { state: 'stored', maxAge: Math.min(...numbers), scope }
}

/** The field's own, else that of its type. */
function hintOf(field: GraphQLField<unknown, unknown>, isRoot: boolean): Hint {
  const type = getNamedType(field.type)
  const ofType = isCompositeType(type) ? annotationOf(type.astNode) : { inheritMaxAge: true }
  const ofField = annotationOf(field.astNode)
  const isInherited = !isRoot && (ofField.inheritMaxAge || ofType.inheritMaxAge)
  return {
    maxAge: ofField.maxAge ?? ofType.maxAge ?? (isInherited ? 'inherited' : 'not given'),
    scope: isForEverybody(field) && isForEverybody(type) ? (ofField.scope ?? ofType.scope) : 'PRIVATE',
  }
}

/** What hangs on who asks is private, whatever its hint says. */
function isForEverybody(its: Parameters<typeof ruleOf>[0]): boolean {
  return (ruleOf(its)?.state ?? 'everyone') === 'everyone'
}

interface Annotation {
  maxAge?: number
  scope?: Scope
  inheritMaxAge?: boolean
}

function annotationOf(node: { readonly directives?: readonly DirectiveNode[] } | null | undefined): Annotation {
  return (node && getDirectiveValues(cacheControlDirective, node)) ?? {}
}
