import { LRUCache } from 'lru-cache'
import type { EntryHeld } from './entry.js'

export interface NearStoreOptions {
  maxBytes: number
  /** Nothing is answered that was last known to be right longer ago than this. */
  maxStalenessMs: number
  /** Milliseconds; only differences matter. */
  now: () => number
}

/** An entry, or the text of a generation */
export type Near = EntryHeld | string

/**
 * What this process read from the far store a moment ago, kept right by the far store's news of removals. It is used only while
 * that news is known to be complete up to `maxStalenessMs` ago. Values are shared between requests: nobody may change them.
 */
export class NearStore {
  private readonly known: LRUCache<string, Near>
  /** Counts removals by hash of the key, so that a read that was under way during one is not kept. */
  private readonly removals = new Uint32Array(removalBuckets)
  private usableUntil = Number.NEGATIVE_INFINITY

  constructor(private readonly options: NearStoreOptions) {
    this.known = new LRUCache({ maxSize: options.maxBytes, sizeCalculation: size })
  }

  get usable(): boolean {
    return this.options.now() <= this.usableUntil
  }

  get bytes(): number {
    return this.known.calculatedSize
  }

  get(key: string): Near | undefined {
    return this.known.get(key)
  }

  /** To be taken before the far store is asked, and given to `put` with its answer. */
  mark(key: string): number {
    return this.removals[bucketOf(key)] as number
  }

  put(key: string, near: Near, mark: number): void {
    if (this.usable && this.mark(key) === mark) this.known.set(key, near)
  }

  remove(keys: readonly string[]): void {
    for (const key of keys) {
      const bucket = bucketOf(key)
      this.removals[bucket] = (this.removals[bucket] as number) + 1
      this.known.delete(key)
    }
  }

  /** News may have been missed: nothing that was known, and nothing that is being read, is kept. */
  clear(): void {
    this.usableUntil = Number.NEGATIVE_INFINITY
    this.known.clear()
    for (let bucket = 0; bucket < removalBuckets; bucket += 1) this.removals[bucket] = (this.removals[bucket] as number) + 1
  }

  /** All news up to this moment (on the clock of `now`) has arrived. */
  confirm(asOf: number): void {
    this.usableUntil = Math.max(this.usableUntil, asOf + this.options.maxStalenessMs)
  }
}

const removalBuckets = 4096

/** FNV-1a */
function bucketOf(key: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < key.length; index += 1) hash = Math.imul(hash ^ key.charCodeAt(index), 0x01000193)
  return (hash >>> 0) % removalBuckets
}

/** Key, text and, once it was parsed, the value; measured on this shop's entries, rounded up. */
function size(near: Near, key: string): number {
  return 200 + key.length + (typeof near === 'string' ? near.length : 4 * near.json.length)
}
