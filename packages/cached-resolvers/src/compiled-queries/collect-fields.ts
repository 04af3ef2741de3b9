import {
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLObjectType,
  type GraphQLSchema,
  isAbstractType,
  Kind,
  type SelectionNode,
  type SelectionSetNode,
  typeFromAST,
} from 'graphql'

export interface Collecting {
  schema: GraphQLSchema
  fragments: ReadonlyMap<string, FragmentDefinitionNode>
  /** Is told of every selection, and of every fragment that is spread: undefined where that is missing. Throws, or answers whether to go on. */
  look: (node: SelectionNode | FragmentDefinitionNode | undefined) => boolean
}

/** By response name, in the order of the answer */
export type CollectedFields = Map<string, [FieldNode, ...FieldNode[]]>

/** The fields of an object of this type, as in CollectFields() of the specification, but for @skip and @include: it collects both ways. */
export function collectFields(
  { schema, fragments, look }: Collecting,
  type: GraphQLObjectType,
  selectionSets: readonly SelectionSetNode[],
): CollectedFields {
  const fields: CollectedFields = new Map()
  const visited = new Set<string>()
  const collect = ({ selections }: SelectionSetNode): void => {
    for (const selection of selections) {
      if (!look(selection)) return
      if (selection.kind === Kind.FIELD) {
        const name = selection.alias?.value ?? selection.name.value
        const its = fields.get(name)
        if (its) its.push(selection)
        else fields.set(name, [selection])
      } else if (selection.kind === Kind.INLINE_FRAGMENT) {
        if (!selection.typeCondition || applies(schema, selection.typeCondition, type)) collect(selection.selectionSet)
      } else if (!visited.has(selection.name.value)) {
        visited.add(selection.name.value)
        const fragment = fragments.get(selection.name.value)
        if (look(fragment) && fragment && applies(schema, fragment.typeCondition, type)) collect(fragment.selectionSet)
      }
    }
  }
  for (const selectionSet of selectionSets) collect(selectionSet)
  return fields
}

function applies(schema: GraphQLSchema, condition: FragmentDefinitionNode['typeCondition'], type: GraphQLObjectType): boolean {
  const its = typeFromAST(schema, condition)
  return its === type || (isAbstractType(its) && schema.isSubType(its, type))
}
