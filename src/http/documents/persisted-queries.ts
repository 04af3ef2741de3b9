import { createHash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { maxSourceLength } from '../../graphql/document-limits.js'

/** Storage shared by all processes */
export interface SharedDocumentStore {
  /** Resolves with null if the store does not have the document. */
  read(key: string): Promise<string | null>
  write(key: string, text: string, ttlMs: number): Promise<void>
}

export interface PersistedQueriesOptions {
  shared: SharedDocumentStore
  /** A clock in milliseconds; only differences matter. */
  now: () => number
}

interface PersistedQuery {
  text: string
  /** When this process last wrote the document to the shared store */
  sharedAt: number
}

/**
 * Documents that clients registered under their SHA-256 hash (Apollo's automatic persisted queries). This process keeps the most
 * recently used documents; a store that all processes share has all documents. If a document is not found or the store cannot be
 * reached, the document is reported as unknown, and the client then sends the text. Because any client may register documents,
 * they expire after an hour without use. Methods never reject.
 */
export class PersistedQueries {
  private readonly near = new LRUCache<string, PersistedQuery>({
    maxSize: maxNearLength,
    sizeCalculation: ({ text }) => text.length + overheadPerText,
  })

  constructor(private readonly options: PersistedQueriesOptions) {}

  /**
   * Returns the document if it is in this process. Renews the document in the shared store if the last renewal was more than
   * `renewMs` ago.
   */
  getFromMemory(hash: string): string | undefined {
    const persisted = this.near.get(hash)
    if (!persisted) return undefined
    if (this.options.now() - persisted.sharedAt > renewMs) void this.save(hash, persisted.text)
    return persisted.text
  }

  /** Apollo calls this method to look up a document. */
  async get(key: string): Promise<string | undefined> {
    const hash = hashOf(key)
    if (hash === undefined) return undefined
    const near = this.getFromMemory(hash)
    if (near !== undefined) return near
    const text = await this.options.shared.read(hash).catch(() => null)
    // A client with write access to the store must not be able to replace one document by another.
    if (text === null || text.length > maxSourceLength || sha256(text) !== hash) return undefined
    // The next use renews the document in the shared store.
    this.near.set(hash, { text, sharedAt: Number.NEGATIVE_INFINITY })
    return text
  }

  /** Apollo calls this method to register a document, after it has checked the hash and validated the document. */
  async set(key: string, text: string): Promise<void> {
    const hash = hashOf(key)
    if (hash === undefined || text.length > maxSourceLength) return
    await this.save(hash, text)
  }

  private async save(hash: string, text: string): Promise<void> {
    this.near.set(hash, { text, sharedAt: this.options.now() })
    await this.options.shared.write(hash, text, ttlMs).catch(() => undefined)
  }

  async delete(): Promise<void> {}
}

/** Apollo's keys are `apq:` and the hash. */
function hashOf(key: string): string | undefined {
  return /^apq:([\da-f]{64})$/.exec(key)?.[1]
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

const maxNearLength = 8 * 1024 * 1024
const overheadPerText = 200
const ttlMs = 60 * 60 * 1000
/** Documents are renewed early enough before they expire, and rarely enough to cost little. */
const renewMs = ttlMs / 4
