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

/** The most that an operation may have. Fragments count wherever they are spread. */
export interface StructureLimits {
  /** Fields within fields */
  depth: number
  fields: number
  /** Of the operation itself */
  rootFields: number
  aliases: number
  directives: number
}

type Measure = Record<keyof StructureLimits, number>

/** A rule of validation, so that nothing is executed of an operation that is too large in whatever way. */
export function limitStructure(limits: StructureLimits) {
  return (context: ValidationContext): ASTVisitor => ({
    Document({ definitions }) {
      const meter = new Meter(definitions)
      for (const operation of definitions.filter(isOperation)) {
        const its = meter.measure(operation)
        for (const [name, maximum] of Object.entries(limits) as [keyof StructureLimits, number][]) {
          if (its[name] > maximum) context.reportError(limitExceeded(name, its[name], maximum))
        }
      }
    },
  })
}

/** A rule of validation for the characters of names: of fields, aliases, operations, fragments, variables, arguments. */
export function limitNames(maximum: number) {
  return (context: ValidationContext): ASTVisitor => ({
    Name({ value }) {
      if (value.length > maximum) context.reportError(limitExceeded('characters of a name', value.length, maximum))
    },
  })
}

/** Each fragment is measured once, so fragments that double each other do not double the work. */
class Meter {
  private readonly fragments: ReadonlyMap<string, FragmentDefinitionNode>
  private readonly measured = new Map<string, Measure>()

  constructor(definitions: readonly DefinitionNode[]) {
    this.fragments = new Map(definitions.filter(isFragment).map((its) => [its.name.value, its]))
  }

  measure({ directives = [], variableDefinitions = [], selectionSet }: OperationDefinitionNode): Measure {
    const its = this.ofSelections(selectionSet)
    for (const variable of variableDefinitions) its.directives += variable.directives?.length ?? 0
    its.directives += directives.length
    return its
  }

  private ofSelections(selectionSet: SelectionSetNode | undefined): Measure {
    const its = nothing()
    for (const selection of selectionSet?.selections ?? []) {
      add(its, this.ofSelection(selection))
      its.directives += selection.directives?.length ?? 0
    }
    return its
  }

  private ofSelection(selection: SelectionNode): Measure {
    if (selection.kind === Kind.FRAGMENT_SPREAD) return this.ofFragment(selection.name.value)
    const inner = this.ofSelections(selection.selectionSet)
    if (selection.kind === Kind.INLINE_FRAGMENT) return inner
    return {
      ...inner,
      depth: inner.depth + 1,
      fields: inner.fields + 1,
      rootFields: 1,
      aliases: inner.aliases + (selection.alias ? 1 : 0),
    }
  }

  private ofFragment(name: string): Measure {
    const known = this.measured.get(name)
    if (known) return known
    const fragment = this.fragments.get(name)
    // One that spreads itself is refused by another rule; here it must only come to an end.
    this.measured.set(name, nothing())
    const its = this.ofSelections(fragment?.selectionSet)
    its.directives += fragment?.directives?.length ?? 0
    this.measured.set(name, its)
    return its
  }
}

function nothing(): Measure {
  return { depth: 0, fields: 0, rootFields: 0, aliases: 0, directives: 0 }
}

function add(sum: Measure, its: Measure): void {
  sum.depth = Math.max(sum.depth, its.depth)
  sum.fields += its.fields
  sum.rootFields += its.rootFields
  sum.aliases += its.aliases
  sum.directives += its.directives
}

function isOperation(definition: DefinitionNode): definition is OperationDefinitionNode {
  return definition.kind === Kind.OPERATION_DEFINITION
}

function isFragment(definition: DefinitionNode): definition is FragmentDefinitionNode {
  return definition.kind === Kind.FRAGMENT_DEFINITION
}
