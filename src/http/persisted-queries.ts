import { createHash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { maxSourceLength } from '../graphql/document-limits.js'

/** Where the processes keep what they share */
export interface SharedTexts {
  /** null: there is none */
  read(key: string): Promise<string | null>
  write(key: string, text: string, ttlMs: number): Promise<void>
}

/**
 * Documents that clients registered under their SHA-256 (Apollo's automatic persisted queries), with the last used in this process. All others
 * are as good as unknown, and so are all while what is shared cannot be reached: the client sends the text then. Rejects never.
 */
export class PersistedQueries {
  private readonly near = new LRUCache<string, string>({
    maxSize: maxNearLength,
    sizeCalculation: (text) => text.length + bytesPerText,
  })

  constructor(private readonly shared: SharedTexts) {}

  /** What this process has of it already */
  peek(hash: string): string | undefined {
    return this.near.get(hash)
  }

  /** Called by Apollo */
  async get(key: string): Promise<string | undefined> {
    const hash = hashOf(key)
    if (hash === undefined) return undefined
    const near = this.near.get(hash)
    if (near !== undefined) return near
    const text = await this.shared.read(hash).catch(() => null)
    // Whoever can write to the store must not be able to put one document in the place of another.
    if (text === null || text.length > maxSourceLength || sha256(text) !== hash) return undefined
    this.near.set(hash, text)
    return text
  }

  /** Called by Apollo, when it has compared the hash with the text and found the document valid */
  async set(key: string, text: string): Promise<void> {
    const hash = hashOf(key)
    if (hash === undefined || text.length > maxSourceLength) return
    this.near.set(hash, text)
    await this.shared.write(hash, text, ttlMs).catch(() => undefined)
  }

  async delete(): Promise<void> {}
}

/** Of a key of Apollo's */
function hashOf(key: string): string | undefined {
  return /^apq:([\da-f]{64})$/.exec(key)?.[1]
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

const maxNearLength = 8 * 1024 * 1024
const bytesPerText = 200
const ttlMs = 24 * 60 * 60 * 1000
