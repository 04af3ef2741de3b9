import { GraphQLError } from 'graphql'
import { maxSourceLength } from '../../graphql/document-limits.js'
import { type ErrorCode, limitExceeded } from '../../graphql/errors.js'
import type { PersistedQueries } from './persisted-queries.js'
import type { TrustedDocuments } from './trusted-documents.js'

export interface DocumentsOptions {
  persisted: PersistedQueries
  trusted: TrustedDocuments | null
  /** Whether documents that are not trusted are refused */
  onlyTrusted: boolean
}

/** The parameters of a request that determine its document, not validated yet */
export interface DocumentRequest {
  query?: unknown
  documentId?: unknown
  extensions?: unknown
}

export type Resolved =
  /** Passed to Apollo unchanged */
  | { state: 'unchanged' }
  | { state: 'found'; query: string; extensions: Readonly<Record<string, unknown>> }
  | { state: 'refused'; error: GraphQLError }

/**
 * Finds the document of a request that contains an id or a hash instead of the document, and decides which documents are allowed.
 */
export class Documents {
  constructor(private readonly options: DocumentsOptions) {}

  /** The `persistedQueries` option of Apollo, which handles persisted queries that are not trusted documents */
  get persistedQueries() {
    return this.options.onlyTrusted ? (false as const) : { cache: this.options.persisted }
  }

  /**
   * For the fast path. Returns the document if it is in the memory of this process; undefined if Apollo must look up or register
   * the document.
   */
  findCached({ query, documentId, extensions }: DocumentRequest): string | undefined {
    const persistedQuery = isRecord(extensions) ? extensions.persistedQuery : undefined
    if (persistedQuery === undefined) {
      if (typeof query === 'string') return query
      return query == null && typeof documentId === 'string' ? this.options.trusted?.find(documentId) : undefined
    }
    const hash = query == null && documentId == null ? hashOf(persistedQuery) : undefined
    return hash && (this.options.trusted?.find(hash) ?? this.options.persisted.getFromMemory(hash))
  }

  resolve({ query, documentId, extensions }: DocumentRequest): Resolved {
    if (typeof query === 'string' && query.length > maxSourceLength)
      return { state: 'refused', error: limitExceeded('characters', query.length, maxSourceLength) }
    if (query != null) return this.isAllowed(query) ? { state: 'unchanged' } : refuse(notInSafelist)
    const { persistedQuery, ...others } = isRecord(extensions) ? extensions : {}
    if (isRecord(persistedQuery) && typeof persistedQuery.sha256Hash !== 'string') return refuse(notAHash)
    const id = documentId ?? hashOf(persistedQuery)
    if (id === undefined) return { state: 'unchanged' }
    if (typeof id !== 'string') return refuse(notAnId)
    const text = this.options.trusted?.find(id)
    if (text !== undefined) return { state: 'found', query: text, extensions: others }
    if (this.options.onlyTrusted) return refuse(notInList)
    return documentId == null ? { state: 'unchanged' } : refuse(notFound)
  }

  private isAllowed(text: unknown): boolean {
    return !this.options.onlyTrusted || typeof text !== 'string' || this.options.trusted?.includes(text) === true
  }
}

function hashOf(persistedQuery: unknown): string | undefined {
  if (!isRecord(persistedQuery) || persistedQuery.version !== 1) return undefined
  return typeof persistedQuery.sha256Hash === 'string' ? persistedQuery.sha256Hash : undefined
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function refuse([code, message]: readonly [ErrorCode, string]): Resolved {
  return { state: 'refused', error: badRequest(code, message) }
}

export function badRequest(code: ErrorCode, message: string): GraphQLError {
  return new GraphQLError(message, { extensions: { code, http: { status: 400 } } })
}

const notAnId = ['BAD_REQUEST', 'documentId must be a string'] as const
/** This is checked here, because Apollo would convert any value to a string. */
const notAHash = ['BAD_REQUEST', 'The sha256Hash of a persisted query must be a string'] as const
/** Clients that receive this code send the document itself. */
const notFound = ['PERSISTED_QUERY_NOT_FOUND', 'No document has this documentId; send the document as query'] as const
/** A code of Apollo Router. Clients that know it do not send the document itself. */
const notInList = [
  'PERSISTED_QUERY_NOT_IN_LIST',
  'No trusted document has this id, and this server accepts no others; publish the manifest of this client first',
] as const
const notInSafelist = [
  'QUERY_NOT_IN_SAFELIST',
  'This document is not trusted, and this server accepts no others; send the id of a document that was published with the client',
] as const
