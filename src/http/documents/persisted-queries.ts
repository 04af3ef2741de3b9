import { createHash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { maxSourceLength } from '../../graphql/document-limits.js'

/** Storage shared by all processes */
export interface SharedDocumentStore {
  /** null: no such document */
  read(key: string): Promise<string | null>
  write(key: string, text: string, ttlMs: number): Promise<void>
}

export interface PersistedQueriesOptions {
  shared: SharedDocumentStore
  /** Milliseconds; only differences matter. */
  now: () => number
}

interface PersistedQuery {
  text: string
  /** When this process last wrote it to the shared store */
  sharedAt: number
}

/**
 * Documents that clients registered under their SHA-256 hash (Apollo's automatic persisted queries). The most recently used are
 * kept in this process, all are in a store shared by the processes. A document that is not found, or whose store cannot be
 * reached, is reported as unknown: the client then sends its text. Documents expire after an hour without use, because any client
 * may register them. Never rejects.
 */
export class PersistedQueries {
  private readonly near = new LRUCache<string, PersistedQuery>({
    maxSize: maxNearLength,
    sizeCalculation: ({ text }) => text.length + overheadPerText,
  })

  constructor(private readonly options: PersistedQueriesOptions) {}

  /** Returns the document if it is in this process. */
  peek(hash: string): string | undefined {
    const persisted = this.near.get(hash)
    if (!persisted) return undefined
    if (this.options.now() - persisted.sharedAt > renewMs) void this.save(hash, persisted.text)
    return persisted.text
  }

  /** Called by Apollo */
  async get(key: string): Promise<string | undefined> {
    const hash = hashOf(key)
    if (hash === undefined) return undefined
    const near = this.peek(hash)
    if (near !== undefined) return near
    const text = await this.options.shared.read(hash).catch(() => null)
    // A client with write access to the store must not be able to replace one document by another.
    if (text === null || text.length > maxSourceLength || sha256(text) !== hash) return undefined
    // Not renewed in the shared store until it is used again
    this.near.set(hash, { text, sharedAt: Number.NEGATIVE_INFINITY })
    return text
  }

  /** Called by Apollo after it has checked the hash and validated the document */
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
/** Early enough before expiry, and rare */
const renewMs = ttlMs / 4
