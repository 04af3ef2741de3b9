import {
  type ASTVisitor,
  type DefinitionNode,
  type FragmentDefinitionNode,
  Kind,
  type OperationDefinitionNode,
  type SelectionNode,
  type SelectionSetNode,
  type ValidationContext,
} from 'graphql'
import { limitExceeded } from './errors.js'

/** Maximums for one operation. The contents of a fragment count each time the fragment is spread. */
export interface StructureLimits {
  /** Levels of nested fields */
  depth: number
  fields: number
  /** Top-level fields */
  rootFields: number
  aliases: number
  directives: number
}

type StructureCounts = Record<keyof StructureLimits, number>

/** A validation rule that rejects operations exceeding any of the limits, before they are executed. */
export function limitStructure(limits: StructureLimits) {
  return (context: ValidationContext): ASTVisitor => ({
    Document({ definitions }) {
      const meter = new StructureMeter(definitions)
      for (const operation of definitions.filter(isOperation)) {
        const counts = meter.measure(operation)
        for (const [name, maximum] of Object.entries(limits) as [keyof StructureLimits, number][]) {
          if (counts[name] > maximum) context.reportError(limitExceeded(name, counts[name], maximum))
        }
      }
    },
  })
}

/**
 * A validation rule that limits the length of each name, in characters: of fields, aliases, operations, fragments, variables,
 * arguments, types, directives and input fields.
 */
export function limitNames(maximum: number) {
  return (context: ValidationContext): ASTVisitor => ({
    Name({ value }) {
      if (value.length > maximum) context.reportError(limitExceeded('characters of a name', value.length, maximum))
    },
  })
}

/**
 * Measures each fragment once. Otherwise, a chain of fragments in which each spreads the next twice would take exponential time.
 */
class StructureMeter {
  private readonly fragments: ReadonlyMap<string, FragmentDefinitionNode>
  private readonly measured = new Map<string, StructureCounts>()

  constructor(definitions: readonly DefinitionNode[]) {
    this.fragments = new Map(definitions.filter(isFragment).map((fragment) => [fragment.name.value, fragment]))
  }

  measure({ directives = [], variableDefinitions = [], selectionSet }: OperationDefinitionNode): StructureCounts {
    const counts = this.measureSelections(selectionSet)
    for (const variable of variableDefinitions) counts.directives += variable.directives?.length ?? 0
    counts.directives += directives.length
    return counts
  }

  private measureSelections(selectionSet: SelectionSetNode | undefined): StructureCounts {
    const counts = zeroCounts()
    for (const selection of selectionSet?.selections ?? []) {
      add(counts, this.measureSelection(selection))
      counts.directives += selection.directives?.length ?? 0
    }
    return counts
  }

  private measureSelection(selection: SelectionNode): StructureCounts {
    if (selection.kind === Kind.FRAGMENT_SPREAD) return this.measureFragment(selection.name.value)
    const inner = this.measureSelections(selection.selectionSet)
    if (selection.kind === Kind.INLINE_FRAGMENT) return inner
    return {
      ...inner,
      depth: inner.depth + 1,
      fields: inner.fields + 1,
      rootFields: 1,
      aliases: inner.aliases + (selection.alias ? 1 : 0),
    }
  }

  private measureFragment(name: string): StructureCounts {
    const known = this.measured.get(name)
    if (known) return known
    const fragment = this.fragments.get(name)
    // Ends the recursion if the fragment spreads itself. Another validation rule rejects the document in that case.
    this.measured.set(name, zeroCounts())
    const counts = this.measureSelections(fragment?.selectionSet)
    counts.directives += fragment?.directives?.length ?? 0
    this.measured.set(name, counts)
    return counts
  }
}

function zeroCounts(): StructureCounts {
  return { depth: 0, fields: 0, rootFields: 0, aliases: 0, directives: 0 }
}

function add(sum: StructureCounts, counts: StructureCounts): void {
  sum.depth = Math.max(sum.depth, counts.depth)
  sum.fields += counts.fields
  sum.rootFields += counts.rootFields
  sum.aliases += counts.aliases
  sum.directives += counts.directives
}

function isOperation(definition: DefinitionNode): definition is OperationDefinitionNode {
  return definition.kind === Kind.OPERATION_DEFINITION
}

function isFragment(definition: DefinitionNode): definition is FragmentDefinitionNode {
  return definition.kind === Kind.FRAGMENT_DEFINITION
}
