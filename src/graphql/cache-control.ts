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
  description: 'Who may store a response',
  values: {
    PUBLIC: { description: 'Any cache may store the response' },
    PRIVATE: { description: 'The response depends on the user: only the client may store it' },
  },
})

/** Apollo's directive, which its tools support: https://www.apollographql.com/docs/apollo-server/performance/caching */
export const cacheControlDirective = new GraphQLDirective({
  name: 'cacheControl',
  description: 'How long (seconds) and by which caches a response with this may be stored; 0: not without revalidation',
  locations: [DirectiveLocation.FIELD_DEFINITION, DirectiveLocation.OBJECT, DirectiveLocation.INTERFACE, DirectiveLocation.UNION],
  args: {
    maxAge: { type: GraphQLInt, description: 'For how many seconds the response may be stored' },
    scope: { type: cacheControlScope, description: 'Who may store it; PUBLIC if absent' },
    inheritMaxAge: { type: GraphQLBoolean, description: 'Use the maxAge of the parent field' },
  },
})

/** Whether a response may be stored by shared caches (PUBLIC) or by the client only (PRIVATE), and for how many seconds */
export type CachePolicy = { state: 'unstored' } | { state: 'stored'; maxAge: number; scope: Scope }

/**
 * Returns the strictest policy of all fields that a valid document selects, including fields with @skip or @include. If a field
 * has no hint, the response is not stored. Leaf fields without a hint are an exception: they inherit the policy of their parent
 * object.
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

/** The hint of one field of a document */
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

/** Returns the hint of the field, or the hint of its type if the field has none. */
function hintOf(field: GraphQLField<unknown, unknown>, isRoot: boolean): Hint {
  const type = getNamedType(field.type)
  const typeHint = isCompositeType(type) ? annotationOf(type.astNode) : { inheritMaxAge: true }
  const fieldHint = annotationOf(field.astNode)
  const isInherited = !isRoot && (fieldHint.inheritMaxAge || typeHint.inheritMaxAge)
  return {
    maxAge: fieldHint.maxAge ?? typeHint.maxAge ?? (isInherited ? 'inherited' : 'not given'),
    scope: isUnrestricted(field) && isUnrestricted(type) ? (fieldHint.scope ?? typeHint.scope) : 'PRIVATE',
  }
}

/**
 * Whether all viewers may see the field or the values of the type. Other fields and types depend on the viewer, so they are
 * private, whatever their hint.
 */
function isUnrestricted(fieldOrType: Parameters<typeof ruleOf>[0]): boolean {
  return (ruleOf(fieldOrType)?.state ?? 'everyone') === 'everyone'
}

interface Annotation {
  maxAge?: number
  scope?: Scope
  inheritMaxAge?: boolean
}

function annotationOf(node: { readonly directives?: readonly DirectiveNode[] } | null | undefined): Annotation {
  return (node && getDirectiveValues(cacheControlDirective, node)) ?? {}
}
