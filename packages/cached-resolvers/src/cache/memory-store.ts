import { randomUUID } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { leaseMark } from './entry.js'
import type { CacheStore, StoreInfo, Swap, SwapAnswer } from './store.js'

export interface MemoryStoreOptions {
  /** Default: 64 MB */
  maxBytes?: number
  /** Milliseconds; only differences matter. */
  now?: () => number
}

/** Stores entries in the memory of this process. The entries are lost when the process ends. */
export class MemoryStore implements CacheStore {
  readonly backend = 'memory'
  readonly answering = true
  private readonly id = `memory-${randomUUID()}`
  private readonly texts: LRUCache<string, string>
  private readonly counts = new Map<string, { sums: Map<string, number>; expiresAt: number }>()
  private readonly startedAt: number
  private readonly now: () => number

  constructor({ maxBytes = 64 * 1024 * 1024, now = () => performance.now() }: MemoryStoreOptions = {}) {
    this.now = now
    this.startedAt = now()
    this.texts = new LRUCache({
      maxSize: maxBytes,
      sizeCalculation: (text, key) => 2 * (text.length + key.length) + bytesPerEntry,
      ttlResolution: 0,
      perf: { now },
    })
  }

  async connect(): Promise<void> {}

  async close(): Promise<void> {
    this.texts.clear()
  }

  async ping(): Promise<number> {
    return 0
  }

  async readMany(keys: readonly string[]): Promise<(string | null)[]> {
    return keys.map((key) => this.texts.get(key) ?? null)
  }

  async swapMany(swaps: readonly Swap[]): Promise<SwapAnswer[]> {
    return swaps.map((swap) => this.swap(swap))
  }

  async removeMany(keys: readonly string[]): Promise<void> {
    for (const key of keys) this.texts.delete(key)
  }

  async sampleKeys(count: number): Promise<string[]> {
    const keys = [...this.texts.keys()]
    return keys.length === 0 ? [] : Array.from({ length: count }, () => keys[Math.floor(Math.random() * keys.length)] as string)
  }

  async identity(): Promise<string> {
    return this.id
  }

  /** Ignores the batch id, because a call within the process cannot fail and is therefore never repeated. */
  async addCounts(key: string, _batchId: string, counts: ReadonlyMap<string, number>, ttlMs: number | null): Promise<void> {
    this.dropExpiredCounts()
    const sums = this.counts.get(key)?.sums ?? new Map<string, number>()
    for (const [name, count] of counts) sums.set(name, (sums.get(name) ?? 0) + count)
    this.counts.set(key, { sums, expiresAt: this.now() + (ttlMs ?? Number.POSITIVE_INFINITY) })
  }

  async readCounts(key: string): Promise<ReadonlyMap<string, number>> {
    this.dropExpiredCounts()
    return new Map(this.counts.get(key)?.sums)
  }

  async info(): Promise<StoreInfo> {
    this.texts.purgeStale()
    return {
      version: null,
      usedMemoryBytes: this.texts.calculatedSize,
      uptimeSeconds: Math.floor((this.now() - this.startedAt) / 1000),
      connectedClients: null,
      keys: this.texts.size,
    }
  }

  private dropExpiredCounts(): void {
    for (const [key, { expiresAt }] of this.counts) if (expiresAt <= this.now()) this.counts.delete(key)
  }

  private swap({ key, when, value, ttlMs }: Swap): SwapAnswer {
    const current = this.texts.get(key) ?? null
    if (!allows(when, current)) return { swapped: false, current }
    this.texts.set(key, value, { ttl: ttlMs ?? 0 })
    return { swapped: true }
  }
}

function allows(when: Swap['when'], current: string | null): boolean {
  if (when.state === 'notLeased') return !current?.startsWith(leaseMark)
  if (current === null) return when.state !== 'startsWith'
  return 'expected' in when && current.startsWith(when.expected)
}

/** Memory that V8 and the LRU list need for each entry in addition to its text; measured and rounded up */
const bytesPerEntry = 200
