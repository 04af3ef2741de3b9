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
import { Run, type Write } from './answer.js'
import { compileArguments } from './arguments.js'
import { type Collecting, collectFields } from './collect-fields.js'
import { NotCompilableError } from './not-compilable.js'
import type { Pieces } from './pieces.js'
import { isPromise, quote, writeLeaf, writeList, writeNonNull, writeNullable } from './values.js'
import { compileVariables } from './variables.js'

/**
 * Runs a query and gives the text of its `data`, byte for byte what graphql-js and JSON.stringify would give. Throws or rejects
 * whenever that would not be an answer without errors: the ordinary execution has to run then, to say what is wrong.
 */
export type CompiledQuery = (variables: Readonly<Record<string, unknown>>, context: unknown) => string | Promise<string>

export interface CompileOptions {
  schema: GraphQLSchema
  /** Fields and fragments of a document at most, counted wherever they are spread and for every type that they may be of */
  maxFields: number
  pieces: Pieces
}

/** Compiles a valid document with one operation, a query without directives. Throws NotCompilableError for any other, and where it has too many fields. */
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
  return (variables, context) => new Run(coerce(variables), context).start(write)
}

function onlyQuery({ definitions }: DocumentNode): OperationDefinitionNode {
  const [operation, ...others] = definitions.filter(({ kind }) => kind === Kind.OPERATION_DEFINITION) as OperationDefinitionNode[]
  if (!operation || others.length > 0) throw new NotCompilableError('Not one operation')
  if (operation.operation !== OperationTypeNode.QUERY || operation.directives?.length) {
    throw new NotCompilableError('Only queries without directives are compiled')
  }
  return operation
}

class Compiler {
  private looks = 0
  private readonly collecting: Collecting
  private readonly fragmentsByName: Readonly<Record<string, FragmentDefinitionNode>>

  private readonly schema: GraphQLSchema

  constructor(
    private readonly options: CompileOptions,
    private readonly operation: OperationDefinitionNode,
    fragments: Collecting['fragments'],
  ) {
    this.schema = options.schema
    this.fragmentsByName = Object.fromEntries(fragments)
    this.collecting = { schema: options.schema, fragments, look: (node) => this.look(node) }
  }

  compileOperation(): Write {
    const type = this.schema.getQueryType()
    if (!type) throw new NotCompilableError('No queries')
    return this.compileObject(type, [this.operation.selectionSet])
  }

  private compileType(type: GraphQLOutputType, info: GraphQLResolveInfo): Write {
    if (isNonNullType(type)) return writeNonNull(this.compileNullable(type.ofType, info))
    return writeNullable(this.compileNullable(type, info))
  }

  private compileNullable(type: GraphQLOutputType, info: GraphQLResolveInfo): Write {
    if (isLeafType(type)) return writeLeaf(type)
    if (isListType(type)) return writeList(this.compileType(type.ofType, info))
    if (isObjectType(type)) return this.checkType(type, info)
    if (isAbstractType(type)) return this.compileAbstract(type, info)
    throw new NotCompilableError('An unknown kind of type')
  }

  /** One of its possible types, found by the type's own resolver. */
  private compileAbstract(type: GraphQLAbstractType, info: GraphQLResolveInfo): Write {
    const { resolveType } = type
    if (!resolveType) throw new NotCompilableError('A type that does not tell which it is')
    const writes = new Map(this.schema.getPossibleTypes(type).map((its) => [its.name, this.checkType(its, info)]))
    return (value, text, run) => {
      const writeAs: Write = (name, text, run) => {
        const write = writes.get(name as string)
        if (!write) throw new NotCompilableError('A type that is no possible one')
        write(value, text, run)
      }
      const name = resolveType(value, run.context, info, type)
      if (isPromise(name)) run.writeLater(name, text, writeAs)
      else writeAs(name, text, run)
    }
  }

  private checkType(type: GraphQLObjectType, info: GraphQLResolveInfo): Write {
    const selectionSets = info.fieldNodes.flatMap(({ selectionSet }) => selectionSet ?? [])
    const write = this.compileObject(type, selectionSets)
    const { isTypeOf } = type
    if (!isTypeOf) return write
    return (value, text, run) => {
      const writeIf: Write = (is, text, run) => {
        if (is !== true) throw new NotCompilableError('A value of another type')
        write(value, text, run)
      }
      const is = isTypeOf(value, run.context, info)
      if (isPromise(is)) run.writeLater(is, text, writeIf)
      else writeIf(is, text, run)
    }
  }

  private compileObject(type: GraphQLObjectType, selectionSets: readonly SelectionSetNode[]): Write {
    const fields = collectFields(this.collecting, type, selectionSets)
    const parts = [...fields].map(
      ([alias, nodes], index): Part => ({
        prefix: `${index === 0 ? '{' : ','}${quote(alias)}:`,
        ...this.compileField(type, nodes),
      }),
    )
    if (parts.length === 0) return constant('{}')
    const firstOther = parts.findIndex(({ isPlain }) => !isPlain)
    const plain = firstOther === -1 ? parts : parts.slice(0, firstOther)
    const others = parts.slice(plain.length)
    if (plain.length === 0) return writeParts(others, '}')
    const end = others.length === 0 ? '}' : ''
    const shape = plain.map(({ prefix, name }) => prefix + name).join('') + end
    const writePlain = this.options.pieces.remember(type.name, shape, writeParts(plain, end))
    return others.length === 0 ? writePlain : inTurn(writePlain, writeParts(others, '}'))
  }

  /** Fields that are looked at and merged cost time and memory too. */
  private look(node: Parameters<Collecting['look']>[0]): boolean {
    if (node?.kind !== Kind.FRAGMENT_DEFINITION) this.looks += 1
    if (this.looks > this.options.maxFields) throw new NotCompilableError('Too many fields')
    // Without directives they are the same for every request.
    if (!node || node.directives?.length) throw new NotCompilableError('Directives are not compiled')
    return true
  }

  private compileField(parent: GraphQLObjectType, nodes: readonly [FieldNode, ...FieldNode[]]): Omit<Part, 'prefix'> {
    const name = nodes[0].name.value
    if (name === '__typename') return { name, write: constant(quote(parent.name)), isPlain: true }
    const field = parent.getFields()[name]
    if (!field) throw new NotCompilableError(`${name} is not for the lane`)
    const info = this.infoOf(field, nodes, parent)
    const write = this.compileType(field.type, info)
    const argumentsOf = compileArguments(field, nodes[0])
    const { resolve } = field
    if (resolve) {
      const writeResolved: Write = (source, text, run) =>
        write(resolve(source, argumentsOf(run.variables), run.context, info), text, run)
      return { name, write: writeResolved, isPlain: false }
    }
    const isPlain = field.args.length === 0 && isLeafType(getNamedType(field.type))
    return { name, write: writeProperty(name, field.args.length > 0, argumentsOf, info, write), isPlain }
  }

  private infoOf(
    field: GraphQLField<unknown, unknown>,
    fieldNodes: readonly FieldNode[],
    parentType: GraphQLObjectType,
  ): GraphQLResolveInfo {
    return new FieldInfo(this.schema, this.operation, this.fragmentsByName, parentType, fieldNodes, field.name, field.type)
  }
}

/** What hangs on the request is not there: a resolver that asks for it is for the ordinary execution. */
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
    throw new NotCompilableError('A resolver that hangs on its path')
  }

  get variableValues(): never {
    throw new NotCompilableError('A resolver that hangs on the variables')
  }
}

interface Part {
  prefix: string
  /** Of the field; the prefix has what it is called in the answer. */
  name: string
  write: Write
  /** A leaf that the object itself holds: it hangs on nothing else. */
  isPlain: boolean
}

function writeParts(parts: readonly Part[], end: string): Write {
  return (source, text, run) => {
    for (const { prefix, write } of parts) {
      text.text += prefix
      write(source, text, run)
    }
    text.text += end
  }
}

/** What a resolver of its own is not needed for */
function writeProperty(
  name: string,
  mayRefuse: boolean,
  argumentsOf: (variables: Run['variables']) => unknown,
  info: GraphQLResolveInfo,
  write: Write,
): Write {
  return (source, text, run) => {
    if (mayRefuse) argumentsOf(run.variables)
    if (typeof source !== 'object' || source === null) throw new NotCompilableError('An object that is none')
    const value = (source as Record<string, unknown>)[name]
    if (typeof value !== 'function') return write(value, text, run)
    const method = source as Record<string, (...its: unknown[]) => unknown>
    return write(method[name]?.(argumentsOf(run.variables), run.context, info), text, run)
  }
}

function inTurn(first: Write, second: Write): Write {
  return (source, text, run) => {
    first(source, text, run)
    second(source, text, run)
  }
}

function constant(its: string): Write {
  return (_, text) => {
    text.text += its
  }
}
