import {
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLAbstractType,
  type GraphQLField,
  type GraphQLObjectType,
  type GraphQLOutputType,
  type GraphQLResolveInfo,
  type GraphQLSchema,
  getNamedType,
  isAbstractType,
  isLeafType,
  isListType,
  isNonNullType,
  isObjectType,
  Kind,
  type OperationDefinitionNode,
  OperationTypeNode,
  type SelectionSetNode,
} from 'graphql'
import { compileArguments } from './arguments.js'
import { type CollectFieldsOptions, collectFields } from './collect-fields.js'
import { Execution, type Writer } from './execution.js'
import { NotCompilableError } from './not-compilable.js'
import type { ObjectJsonCache } from './object-json-cache.js'
import { isPromise, leafWriter, listWriter, nonNullWriter, nullableWriter, quote } from './value-writers.js'
import { compileVariables } from './variables.js'

/**
 * Executes a query and returns its `data` as JSON, byte for byte what graphql-js and JSON.stringify would produce. Throws or
 * rejects in two cases: if the result would contain errors, and if only the standard execution can produce the result
 * (NotCompilableError). The caller then has to run the standard execution, which answers the request or reports the errors.
 */
export type CompiledQuery = (variables: Readonly<Record<string, unknown>>, context: unknown) => string | Promise<string>

export interface CompileOptions {
  schema: GraphQLSchema
  /**
   * Maximum number of selections in a document. A selection counts as often as it is collected: again in each selection set that spreads
   * its fragment, and, below a field of an interface or union type, again for each possible type.
   */
  maxSelections: number
  objectJsonCache: ObjectJsonCache
}

/**
 * Compiles a valid document whose only operation is a query without directives. Throws NotCompilableError for any other document,
 * and for a document with more than `maxSelections` selections.
 */
export function compileQuery(options: CompileOptions, document: DocumentNode): CompiledQuery {
  const { schema } = options
  const operation = onlyQuery(document)
  const fragments = new Map(
    document.definitions
      .filter((definition): definition is FragmentDefinitionNode => definition.kind === Kind.FRAGMENT_DEFINITION)
      .map((fragment) => [fragment.name.value, fragment]),
  )
  const coerce = compileVariables(schema, operation.variableDefinitions ?? [])
  const write = new Compiler(options, operation, fragments).compileOperation()
  return (variables, context) => new Execution(coerce(variables), context).start(write)
}

function onlyQuery({ definitions }: DocumentNode): OperationDefinitionNode {
  const [operation, ...others] = definitions.filter(({ kind }) => kind === Kind.OPERATION_DEFINITION) as OperationDefinitionNode[]
  if (!operation || others.length > 0) throw new NotCompilableError('The document does not have exactly one operation')
  if (operation.operation !== OperationTypeNode.QUERY || operation.directives?.length) {
    throw new NotCompilableError('Only queries without directives are compiled')
  }
  return operation
}

class Compiler {
  private selectionCount = 0
  private readonly collectFieldsOptions: CollectFieldsOptions
  private readonly fragmentsByName: Readonly<Record<string, FragmentDefinitionNode>>

  private readonly schema: GraphQLSchema

  constructor(
    private readonly options: CompileOptions,
    private readonly operation: OperationDefinitionNode,
    fragments: CollectFieldsOptions['fragments'],
  ) {
    this.schema = options.schema
    this.fragmentsByName = Object.fromEntries(fragments)
    this.collectFieldsOptions = { schema: options.schema, fragments, visitSelection: (node) => this.checkSelection(node) }
  }

  compileOperation(): Writer {
    const type = this.schema.getQueryType()
    if (!type) throw new NotCompilableError('The schema has no query type')
    return this.compileObject(type, [this.operation.selectionSet])
  }

  private compileType(type: GraphQLOutputType, info: GraphQLResolveInfo): Writer {
    if (isNonNullType(type)) return nonNullWriter(this.compileNullable(type.ofType, info))
    return nullableWriter(this.compileNullable(type, info))
  }

  private compileNullable(type: GraphQLOutputType, info: GraphQLResolveInfo): Writer {
    if (isLeafType(type)) return leafWriter(type)
    if (isListType(type)) return listWriter(this.compileType(type.ofType, info))
    if (isObjectType(type)) return this.compileCheckedObject(type, info)
    if (isAbstractType(type)) return this.compileAbstract(type, info)
    throw new NotCompilableError('The type is neither a leaf, a list, an object nor an abstract type')
  }

  /** Compiles a writer for each possible type. For each value, resolveType() selects the writer. */
  private compileAbstract(type: GraphQLAbstractType, info: GraphQLResolveInfo): Writer {
    const { resolveType } = type
    if (!resolveType) throw new NotCompilableError('An abstract type has no resolveType()')
    const possibleTypes = this.schema.getPossibleTypes(type)
    const writers = new Map(possibleTypes.map((possible) => [possible.name, this.compileCheckedObject(possible, info)]))
    return (value, buffer, execution) => {
      const writeAsType: Writer = (name, buffer, execution) => {
        const write = writers.get(name as string)
        if (!write) throw new NotCompilableError('resolveType() returned a type that is not a possible type')
        write(value, buffer, execution)
      }
      const name = resolveType(value, execution.context, info, type)
      if (isPromise(name)) execution.writeLater(name, buffer, writeAsType)
      else writeAsType(name, buffer, execution)
    }
  }

  /** Like compileObject(), but first checks each value with isTypeOf(), if the type has one. */
  private compileCheckedObject(type: GraphQLObjectType, info: GraphQLResolveInfo): Writer {
    const selectionSets = info.fieldNodes.flatMap(({ selectionSet }) => selectionSet ?? [])
    const write = this.compileObject(type, selectionSets)
    const { isTypeOf } = type
    if (!isTypeOf) return write
    return (value, buffer, execution) => {
      const writeIfOfType: Writer = (isOfType, buffer, execution) => {
        if (isOfType !== true) throw new NotCompilableError('isTypeOf() did not return true')
        write(value, buffer, execution)
      }
      const isOfType = isTypeOf(value, execution.context, info)
      if (isPromise(isOfType)) execution.writeLater(isOfType, buffer, writeIfOfType)
      else writeIfOfType(isOfType, buffer, execution)
    }
  }

  private compileObject(type: GraphQLObjectType, selectionSets: readonly SelectionSetNode[]): Writer {
    const fields = collectFields(this.collectFieldsOptions, type, selectionSets)
    const compiled = [...fields].map(
      ([alias, nodes], index): CompiledField => ({
        prefix: `${index === 0 ? '{' : ','}${quote(alias)}:`,
        ...this.compileField(type, nodes),
      }),
    )
    if (compiled.length === 0) return constantWriter('{}')
    // The JSON of leaf properties can be cached, because it depends on nothing but the object. A property that is a method could also
    // depend on the context, but only objects that requests share are cached, and those have no methods (see SharedValueMemo in
    // object-json-cache.ts). Only the leading leaf properties are cached, because they form one piece of the response.
    const firstOther = compiled.findIndex(({ isLeafProperty }) => !isLeafProperty)
    const cacheable = firstOther === -1 ? compiled : compiled.slice(0, firstOther)
    const others = compiled.slice(cacheable.length)
    if (cacheable.length === 0) return fieldsWriter(others, '}')
    const end = others.length === 0 ? '}' : ''
    const fieldsText = cacheable.map(({ prefix, name }) => prefix + name).join('') + end
    const writeCacheable = this.options.objectJsonCache.cachingWriter(type.name, fieldsText, fieldsWriter(cacheable, end))
    return others.length === 0 ? writeCacheable : sequenceWriter(writeCacheable, fieldsWriter(others, '}'))
  }

  /**
   * Throws if the selection, or the definition of a fragment that is spread, cannot be compiled. Selections are counted before fields
   * with the same response name are merged, because merging takes time and memory as well.
   */
  private checkSelection(node: Parameters<CollectFieldsOptions['visitSelection']>[0]): boolean {
    if (node?.kind !== Kind.FRAGMENT_DEFINITION) this.selectionCount += 1
    if (this.selectionCount > this.options.maxSelections) throw new NotCompilableError('Too many selections')
    if (!node) throw new NotCompilableError('A spread names a fragment that the document does not define')
    // With @skip or @include, the selected fields would depend on the request.
    if (node.directives?.length) throw new NotCompilableError('Directives are not compiled')
    return true
  }

  private compileField(parent: GraphQLObjectType, nodes: readonly [FieldNode, ...FieldNode[]]): Omit<CompiledField, 'prefix'> {
    const name = nodes[0].name.value
    if (name === '__typename') return { name, write: constantWriter(quote(parent.name)), isLeafProperty: true }
    const field = parent.getFields()[name]
    if (!field) throw new NotCompilableError(`${parent.name}.${name} is an introspection field, which is not compiled`)
    const info = this.infoOf(field, nodes, parent)
    const write = this.compileType(field.type, info)
    const argumentsOf = compileArguments(field, nodes[0])
    const { resolve } = field
    if (resolve) {
      const writeResolved: Writer = (source, buffer, execution) =>
        write(resolve(source, argumentsOf(execution.variables), execution.context, info), buffer, execution)
      return { name, write: writeResolved, isLeafProperty: false }
    }
    const isLeafProperty = field.args.length === 0 && isLeafType(getNamedType(field.type))
    return { name, write: propertyWriter(name, field.args.length > 0, argumentsOf, info, write), isLeafProperty }
  }

  private infoOf(
    field: GraphQLField<unknown, unknown>,
    fieldNodes: readonly FieldNode[],
    parentType: GraphQLObjectType,
  ): GraphQLResolveInfo {
    return new FieldInfo(this.schema, this.operation, this.fragmentsByName, parentType, fieldNodes, field.name, field.type)
  }
}

/**
 * The info argument of a resolver. All requests share one object, so the object has no path and no variable values. A resolver
 * that reads the path or the variable values throws, and the standard execution runs instead.
 */
class FieldInfo implements GraphQLResolveInfo {
  readonly rootValue = undefined

  constructor(
    readonly schema: GraphQLSchema,
    readonly operation: OperationDefinitionNode,
    readonly fragments: Readonly<Record<string, FragmentDefinitionNode>>,
    readonly parentType: GraphQLObjectType,
    readonly fieldNodes: readonly FieldNode[],
    readonly fieldName: string,
    readonly returnType: GraphQLOutputType,
  ) {}

  get path(): never {
    throw new NotCompilableError('A resolver reads info.path')
  }

  get variableValues(): never {
    throw new NotCompilableError('A resolver reads info.variableValues')
  }
}

interface CompiledField {
  /** The response name as a JSON string, with `{` or `,` before and `:` after */
  prefix: string
  /** The field's name in the schema */
  name: string
  write: Writer
  /**
   * Whether the field is __typename, or a property of the object that holds a leaf or a list of leaves. Its value depends on no
   * arguments, context or resolver.
   */
  isLeafProperty: boolean
}

function fieldsWriter(fields: readonly CompiledField[], end: string): Writer {
  return (source, buffer, execution) => {
    for (const { prefix, write } of fields) {
      buffer.text += prefix
      write(source, buffer, execution)
    }
    buffer.text += end
  }
}

/** Reads a property or calls a method of the source object, as the default resolver of graphql-js does. */
function propertyWriter(
  name: string,
  hasArguments: boolean,
  argumentsOf: (variables: Execution['variables']) => unknown,
  info: GraphQLResolveInfo,
  write: Writer,
): Writer {
  return (source, buffer, execution) => {
    // Called only because it throws if an argument is invalid: graphql-js checks the arguments even if the property is not a method.
    if (hasArguments) argumentsOf(execution.variables)
    if (typeof source !== 'object' || source === null) throw new NotCompilableError('The source of a field is not an object')
    const value = (source as Record<string, unknown>)[name]
    if (typeof value !== 'function') return write(value, buffer, execution)
    const methods = source as Record<string, (...args: unknown[]) => unknown>
    return write(methods[name]?.(argumentsOf(execution.variables), execution.context, info), buffer, execution)
  }
}

function sequenceWriter(first: Writer, second: Writer): Writer {
  return (source, buffer, execution) => {
    first(source, buffer, execution)
    second(source, buffer, execution)
  }
}

function constantWriter(json: string): Writer {
  return (_, buffer) => {
    buffer.text += json
  }
}
