import { createHash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { maxSourceLength } from '../../graphql/document-limits.js'

/** Where the processes keep what they share */
export interface SharedTexts {
  /** null: there is none */
  read(key: string): Promise<string | null>
  write(key: string, text: string, ttlMs: number): Promise<void>
}

export interface PersistedQueriesOptions {
  shared: SharedTexts
  /** Milliseconds; only differences matter. */
  now: () => number
}

interface Persisted {
  text: string
  /** When this process has last put it where the others find it */
  keptAt: number
}

/**
 * Documents that clients registered under their SHA-256 (Apollo's automatic persisted queries), with the last used in this process. All others
 * are as good as unknown, and so are all while what is shared cannot be reached: the client sends the text then. What nobody asks for is
 * forgotten within an hour, since anybody may register. Rejects never.
 */
export class PersistedQueries {
  private readonly near = new LRUCache<string, Persisted>({
    maxSize: maxNearLength,
    sizeCalculation: ({ text }) => text.length + bytesPerText,
  })

  constructor(private readonly options: PersistedQueriesOptions) {}

  /** What this process has of it already */
  peek(hash: string): string | undefined {
    const persisted = this.near.get(hash)
    if (!persisted) return undefined
    if (this.options.now() - persisted.keptAt > renewMs) void this.keep(hash, persisted.text)
    return persisted.text
  }

  /** Called by Apollo */
  async get(key: string): Promise<string | undefined> {
    const hash = hashOf(key)
    if (hash === undefined) return undefined
    const near = this.peek(hash)
    if (near !== undefined) return near
    const text = await this.options.shared.read(hash).catch(() => null)
    // Whoever can write to the store must not be able to put one document in the place of another.
    if (text === null || text.length > maxSourceLength || sha256(text) !== hash) return undefined
    // Written again only when it is asked for once more
    this.near.set(hash, { text, keptAt: Number.NEGATIVE_INFINITY })
    return text
  }

  /** Called by Apollo, when it has compared the hash with the text and found the document valid */
  async set(key: string, text: string): Promise<void> {
    const hash = hashOf(key)
    if (hash === undefined || text.length > maxSourceLength) return
    await this.keep(hash, text)
  }

  private async keep(hash: string, text: string): Promise<void> {
    this.near.set(hash, { text, keptAt: this.options.now() })
    await this.options.shared.write(hash, text, ttlMs).catch(() => undefined)
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
const ttlMs = 60 * 60 * 1000
/** Well before it is forgotten, and seldom */
const renewMs = ttlMs / 4
