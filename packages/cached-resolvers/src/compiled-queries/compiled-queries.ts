import type { DocumentNode, GraphQLSchema } from 'graphql'
import { Kind } from 'graphql'
import { LRUCache } from 'lru-cache'
import { type CompiledQuery, type CompileOptions, compileQuery } from './compile.js'
import { NotCompilableError } from './not-compilable.js'
import { ObjectJsonCache, type SharedValueMemo } from './object-json-cache.js'

export interface CompiledQueriesOptions {
  schema: GraphQLSchema
  /** Attaches JSON to the objects that requests share, so that an object is serialized once (see ObjectJsonCache) */
  memo: SharedValueMemo
  /** Maximum number of documents in memory, including those that are not compiled */
  maxDocuments: number
  /** Returns the cost of a document with one operation, as a function of the request's uncoerced variables. */
  costOf: (document: DocumentNode) => CostFunction
  /** A document is compiled when the standard execution has answered it this many times without errors. */
  compileAfterHits: number
}

type CostFunction = (variables: Readonly<Record<string, unknown>>) => number

/** A request as it was received. Its variables are not coerced. */
export interface QueryRequest {
  query: string
  variables: Readonly<Record<string, unknown>>
  operationName: string | undefined
}

export interface CompiledAnswer {
  /** The response's `data` as JSON. The promise rejects if the standard execution has to answer the request. */
  data: string | Promise<string>
  operationName: string | undefined
  /** The Cache-Control header that the standard execution sends for this document */
  cacheControl: string
}

type DocumentState =
  | { state: 'counting'; hits: number }
  | {
      state: 'compiled'
      execute: CompiledQuery
      costOf: CostFunction
      operationName: string | undefined
      cacheControl: string
    }
  | { state: 'not compilable' }

/**
 * Compiles queries that are requested repeatedly into functions that write the JSON of the answer. A document is compiled only
 * after the standard execution has parsed, validated and answered it without errors. The standard execution answers all requests
 * for other documents. If a compiled query fails, the standard execution runs the request again and reports the error.
 */
export class CompiledQueries {
  /** By the source text of the document */
  private readonly states: LRUCache<string, DocumentState>
  private readonly compileOptions: CompileOptions

  constructor(private readonly options: CompiledQueriesOptions) {
    const { schema, memo } = options
    this.compileOptions = {
      schema,
      maxSelections,
      objectJsonCache: new ObjectJsonCache({ memo, maxLength: maxCachedJsonLength }),
    }
    this.states = new LRUCache({
      max: options.maxDocuments,
      maxSize: options.maxDocuments * maxAverageSourceLength,
      maxEntrySize: maxSourceLength,
      sizeCalculation: (_, source) => source.length,
    })
  }

  /**
   * Executes the compiled query of a request. Returns undefined if the document is not compiled, if its operation does not have
   * the requested name, or if `admit` rejects the cost. Throws if the standard execution has to answer the request.
   */
  run(
    { query: source, variables, operationName }: QueryRequest,
    admit: (cost: number) => boolean,
    createContext: () => unknown,
  ): CompiledAnswer | undefined {
    const known = this.states.get(source)
    if (known?.state !== 'compiled') return undefined
    if (operationName !== undefined && operationName !== known.operationName) return undefined
    if (!admit(known.costOf(variables))) return undefined
    const data = known.execute(variables, createContext())
    return { data, operationName: known.operationName, cacheControl: known.cacheControl }
  }

  /**
   * Must be called whenever the standard execution has answered a document without errors. `cacheControl` is the Cache-Control
   * header of the answer.
   */
  recordAnswer(source: string, document: DocumentNode, cacheControl: string): void {
    if (source.length > maxSourceLength) return
    const known = this.states.get(source)
    if (known && known.state !== 'counting') return
    const hits = (known?.hits ?? 0) + 1
    this.states.set(
      source,
      hits < this.options.compileAfterHits ? { state: 'counting', hits } : this.compile(document, cacheControl),
    )
  }

  private compile(document: DocumentNode, cacheControl: string): DocumentState {
    try {
      const execute = compileQuery(this.compileOptions, document)
      return {
        state: 'compiled',
        execute,
        costOf: this.options.costOf(document),
        operationName: operationNameOf(document),
        cacheControl,
      }
    } catch (error) {
      // Compiling a deeply nested document may overflow the stack, which throws a RangeError.
      if (error instanceof NotCompilableError || error instanceof RangeError) return { state: 'not compilable' }
      throw error
    }
  }
}

function operationNameOf({ definitions }: DocumentNode): string | undefined {
  for (const definition of definitions) if (definition.kind === Kind.OPERATION_DEFINITION) return definition.name?.value
  return undefined
}

/**
 * The following three limits keep a compilation below a few milliseconds, and the memory of 1,000 adversarial documents below 300
 * MB. A compiled document takes about 100 bytes for each character of its source, and 800 bytes for each selection.
 */
const maxSourceLength = 8_192
const maxAverageSourceLength = 512
const maxSelections = 300
/**
 * Maximum total length of the cached JSON and its keys, in characters. The cached JSON, its keys and the objects that hold them
 * take about 30 MB of heap.
 */
const maxCachedJsonLength = 8 * 1024 * 1024
