import type { DocumentNode, GraphQLSchema } from 'graphql'
import { Kind } from 'graphql'
import { LRUCache } from 'lru-cache'
import { type CompiledQuery, type CompileOptions, compileQuery } from './compile.js'
import { NotCompilableError } from './not-compilable.js'
import { type Notes, Pieces } from './pieces.js'

export interface LaneOptions {
  schema: GraphQLSchema
  /** On the objects that requests share */
  notes: Notes
  /** Documents that are remembered at most, compiled or not */
  maxDocuments: number
  /** What a document with one operation may cost, by its variables as they came */
  costOf: (document: DocumentNode) => CostOf
  /** How often the ordinary execution must have answered a document before it is compiled */
  sightings: number
}

type CostOf = (variables: Readonly<Record<string, unknown>>) => number

/** What a request asks for, as it came */
export interface QueryRequest {
  query: string
  variables: Readonly<Record<string, unknown>>
  operationName: string | undefined
}

export interface LaneAnswer {
  /** The text of `data`. Rejects where the request turns out not to be for the lane. */
  data: string | Promise<string>
  operationName: string | undefined
  /** The header that the ordinary execution gave to this document */
  cacheControl: string
}

type Remembered =
  | { state: 'seen'; times: number }
  | { state: 'compiled'; query: CompiledQuery; cost: CostOf; operationName: string | undefined; cacheControl: string }
  | { state: 'refused' }

/**
 * A shorter way for queries that come again and again: they were parsed, validated and answered without errors by the ordinary
 * execution, and are compiled to functions that write the answer. Any other request, and any error, is for the ordinary execution.
 */
export class Lane {
  private readonly documents: LRUCache<string, Remembered>
  private readonly compileOptions: CompileOptions

  constructor(private readonly options: LaneOptions) {
    const { schema, notes } = options
    this.compileOptions = { schema, maxFields, pieces: new Pieces({ notes, maxLength: maxPiecesLength }) }
    this.documents = new LRUCache({
      max: options.maxDocuments,
      maxSize: options.maxDocuments * averageSourceLength,
      maxEntrySize: maxSourceLength,
      sizeCalculation: (_, source) => source.length,
    })
  }

  /** undefined where the request is not for the lane, or its cost is not admitted. Throws where it turns out not to be for it. */
  run(
    { query, variables, operationName }: QueryRequest,
    admits: (cost: number) => boolean,
    createContext: () => unknown,
  ): LaneAnswer | undefined {
    const its = this.documents.get(query)
    if (its?.state !== 'compiled') return undefined
    if (operationName !== undefined && operationName !== its.operationName) return undefined
    if (!admits(its.cost(variables))) return undefined
    const { cacheControl } = its
    return { data: its.query(variables, createContext()), operationName: its.operationName, cacheControl }
  }

  /** To be told of every document that the ordinary execution answered without errors, and with which header. */
  answered(source: string, document: DocumentNode, cacheControl: string): void {
    if (source.length > maxSourceLength) return
    const its = this.documents.get(source)
    if (its && its.state !== 'seen') return
    const times = (its?.times ?? 0) + 1
    this.documents.set(source, times < this.options.sightings ? { state: 'seen', times } : this.compile(document, cacheControl))
  }

  private compile(document: DocumentNode, cacheControl: string): Remembered {
    try {
      const query = compileQuery(this.compileOptions, document)
      return {
        state: 'compiled',
        query,
        cost: this.options.costOf(document),
        operationName: operationNameOf(document),
        cacheControl,
      }
    } catch (error) {
      // The stack may be too small for a document that is nested deeply.
      if (error instanceof NotCompilableError || error instanceof RangeError) return { state: 'refused' }
      throw error
    }
  }
}

function operationNameOf({ definitions }: DocumentNode): string | undefined {
  for (const definition of definitions) if (definition.kind === Kind.OPERATION_DEFINITION) return definition.name?.value
  return undefined
}

/**
 * Keep a compile below some milliseconds, and a thousand documents below 300 MB where somebody makes the worst of them: one takes
 * about 100 bytes for each of its characters, and 800 for each field.
 */
const maxSourceLength = 8_192
const averageSourceLength = 512
const maxFields = 300
/** Characters, of what is remembered of values: some 30 MB with what holds them */
const maxPiecesLength = 8 * 1024 * 1024
