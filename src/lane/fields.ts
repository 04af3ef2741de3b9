import {
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLObjectType,
  type GraphQLSchema,
  isAbstractType,
  Kind,
  type SelectionSetNode,
  typeFromAST,
} from 'graphql'
import { NotCompilableError } from './not-compilable.js'

export type Fragments = ReadonlyMap<string, FragmentDefinitionNode>

/**
 * The fields of an object of this type by response name, in the order of the answer, as in CollectFields() of the specification. Without
 * directives they are the same for every request. `look` is told of every selection that is looked at, and may throw.
 */
export function collectFields(
  schema: GraphQLSchema,
  fragments: Fragments,
  type: GraphQLObjectType,
  selectionSets: readonly SelectionSetNode[],
  look: () => void,
): Map<string, FieldNode[]> {
  const fields = new Map<string, FieldNode[]>()
  const visited = new Set<string>()
  const collect = ({ selections }: SelectionSetNode) => {
    for (const selection of selections) {
      look()
      if (selection.directives?.length) throw new NotCompilableError('Directives are not compiled')
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
        if (!fragment || fragment.directives?.length) throw new NotCompilableError('Directives are not compiled')
        if (applies(schema, fragment.typeCondition, type)) collect(fragment.selectionSet)
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
