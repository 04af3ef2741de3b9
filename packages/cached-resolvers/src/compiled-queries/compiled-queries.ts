import type { DocumentNode, GraphQLSchema } from 'graphql'
import { Kind } from 'graphql'
import { LRUCache } from 'lru-cache'
import { type CompiledQuery, type CompileOptions, compileQuery } from './compile.js'
import { FragmentCache, type SharedValueMemo } from './fragment-cache.js'
import { NotCompilableError } from './not-compilable.js'

export interface CompiledQueriesOptions {
  schema: GraphQLSchema
  /** Caches the JSON of objects that requests share */
  memo: SharedValueMemo
  /** Maximum number of documents in memory, compiled or not */
  maxDocuments: number
  /** Returns the cost of a document with one operation as a function of its uncoerced variables */
  costOf: (document: DocumentNode) => CostOf
  /** A document is compiled when the standard execution has answered it this many times without errors. */
  compileAfterHits: number
}

type CostOf = (variables: Readonly<Record<string, unknown>>) => number

/** A request as it was received: its variables are not coerced. */
export interface QueryRequest {
  query: string
  variables: Readonly<Record<string, unknown>>
  operationName: string | undefined
}

export interface CompiledAnswer {
  /** `data` as JSON. Rejects if the standard execution has to answer the request. */
  data: string | Promise<string>
  operationName: string | undefined
  /** The Cache-Control header of the standard execution's answers to this document */
  cacheControl: string
}

type DocumentState =
  | { state: 'counting'; hits: number }
  | { state: 'compiled'; query: CompiledQuery; cost: CostOf; operationName: string | undefined; cacheControl: string }
  | { state: 'not compilable' }

/**
 * Compiles queries that are requested repeatedly to functions that write the JSON of the answer. Only documents that the standard
 * execution has parsed, validated and answered without errors are compiled. The standard execution answers all other requests,
 * and executes again every request that a compiled query fails for, to report the error.
 */
export class CompiledQueries {
  private readonly documents: LRUCache<string, DocumentState>
  private readonly compileOptions: CompileOptions

  constructor(private readonly options: CompiledQueriesOptions) {
    const { schema, memo } = options
    this.compileOptions = { schema, maxFields, fragmentCache: new FragmentCache({ memo, maxLength: maxFragmentsLength }) }
    this.documents = new LRUCache({
      max: options.maxDocuments,
      maxSize: options.maxDocuments * averageSourceLength,
      maxEntrySize: maxSourceLength,
      sizeCalculation: (_, source) => source.length,
    })
  }

  /**
   * Returns undefined if the document is not compiled or `admit` rejects the cost. Throws if the standard execution has to answer
   * the request.
   */
  run(
    { query, variables, operationName }: QueryRequest,
    admit: (cost: number) => boolean,
    createContext: () => unknown,
  ): CompiledAnswer | undefined {
    const document = this.documents.get(query)
    if (document?.state !== 'compiled') return undefined
    if (operationName !== undefined && operationName !== document.operationName) return undefined
    if (!admit(document.cost(variables))) return undefined
    const { cacheControl } = document
    return { data: document.query(variables, createContext()), operationName: document.operationName, cacheControl }
  }

  /**
   * Must be called whenever the standard execution has answered a document without errors, with the Cache-Control header of the
   * answer.
   */
  recordAnswer(source: string, document: DocumentNode, cacheControl: string): void {
    if (source.length > maxSourceLength) return
    const known = this.documents.get(source)
    if (known && known.state !== 'counting') return
    const hits = (known?.hits ?? 0) + 1
    this.documents.set(
      source,
      hits < this.options.compileAfterHits ? { state: 'counting', hits } : this.compile(document, cacheControl),
    )
  }

  private compile(document: DocumentNode, cacheControl: string): DocumentState {
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
      // A deeply nested document may exceed the stack.
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
 * These limits keep a compilation below a few milliseconds, and 1,000 adversarial documents below 300 MB: a compiled document
 * takes about 100 bytes for each character of its source, and 800 for each field.
 */
const maxSourceLength = 8_192
const averageSourceLength = 512
const maxFields = 300
/** Characters of cached JSON: about 30 MB of heap with the objects that hold it */
const maxFragmentsLength = 8 * 1024 * 1024
