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

export interface CollectFieldsOptions {
  schema: GraphQLSchema
  fragments: ReadonlyMap<string, FragmentDefinitionNode>
  /**
   * Called for every selection. If it returns false, the rest of the selection set is not collected. Also called for the
   * definition of every spread fragment, with undefined if the document does not define the fragment. If it returns false for a
   * definition, the fragment is not collected. It may throw.
   */
  visitSelection: (node: SelectionNode | FragmentDefinitionNode | undefined) => boolean
}

/** The field nodes by response name, in response order */
export type CollectedFields = Map<string, [FieldNode, ...FieldNode[]]>

/**
 * Returns the fields selected on an object type, as CollectFields() of the GraphQL specification does. @skip and @include are
 * ignored: conditional selections are always collected.
 */
export function collectFields(
  { schema, fragments, visitSelection }: CollectFieldsOptions,
  type: GraphQLObjectType,
  selectionSets: readonly SelectionSetNode[],
): CollectedFields {
  const fields: CollectedFields = new Map()
  const visited = new Set<string>()
  const collect = ({ selections }: SelectionSetNode): void => {
    for (const selection of selections) {
      if (!visitSelection(selection)) return
      if (selection.kind === Kind.FIELD) {
        const name = selection.alias?.value ?? selection.name.value
        const nodes = fields.get(name)
        if (nodes) nodes.push(selection)
        else fields.set(name, [selection])
      } else if (selection.kind === Kind.INLINE_FRAGMENT) {
        if (!selection.typeCondition || applies(schema, selection.typeCondition, type)) collect(selection.selectionSet)
      } else if (!visited.has(selection.name.value)) {
        visited.add(selection.name.value)
        const fragment = fragments.get(selection.name.value)
        if (visitSelection(fragment) && fragment && applies(schema, fragment.typeCondition, type)) collect(fragment.selectionSet)
      }
    }
  }
  for (const selectionSet of selectionSets) collect(selectionSet)
  return fields
}

function applies(schema: GraphQLSchema, condition: FragmentDefinitionNode['typeCondition'], type: GraphQLObjectType): boolean {
  const conditionType = typeFromAST(schema, condition)
  return conditionType === type || (isAbstractType(conditionType) && schema.isSubType(conditionType, type))
}
