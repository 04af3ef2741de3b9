import { ClockMap, type Kept, use } from './clock-map.js'
import type { EntryHeld } from './entry.js'

export interface NearStoreOptions {
  maxBytes: number
  /** Nothing is answered that was last known to be right longer ago than this. */
  maxStalenessMs: number
  /** Milliseconds; only differences matter. */
  now: () => number
  /** 0 to 1 */
  random: () => number
}

/** An entry, or the text of a generation */
export type Near = EntryHeld | string

interface Known {
  readonly near: Near
  readonly place: Place | undefined
}

/** Where it can also be found, without its key: as an entry, or as the generation of the namespace where there is no id. */
export interface Place {
  readonly namespace: string
  readonly id?: string
}

interface Shelf {
  generation: Kept<Known> | undefined
  readonly entries: Map<string, Kept<Known>>
}

/**
 * What this process read from the far store a moment ago, kept right by the far store's news of removals. It is used only while
 * that news is known to be complete up to `maxStalenessMs` ago. Values are shared between requests: nobody may change them.
 */
export class NearStore {
  private readonly known: ClockMap<Known>
  private readonly shelves = new Map<string, Shelf>()
  /** Counts removals by hash of the key, so that a read that was under way during one is not kept. */
  private readonly removals = new Uint32Array(removalBuckets)
  private usableUntil = Number.NEGATIVE_INFINITY

  constructor(private readonly options: NearStoreOptions) {
    const onDelete = ({ place }: Known) => this.place(place, undefined)
    this.known = new ClockMap({ maxBytes: options.maxBytes, random: options.random, onDelete })
  }

  get usable(): boolean {
    return this.options.now() <= this.usableUntil
  }

  get bytes(): number {
    return this.known.bytes
  }

  get(key: string): Near | undefined {
    return this.known.get(key)?.near
  }

  /** The entry in this place, where it was filled under the generation that is known of its namespace. */
  find(namespace: string, id: string): EntryHeld | undefined {
    const shelf = this.shelves.get(namespace)
    if (!shelf) return undefined
    const held = use(shelf.entries.get(id))?.near as EntryHeld | undefined
    return held && held.header.generation === use(shelf.generation)?.near ? held : undefined
  }

  /** To be taken before the far store is asked, and given to `put` with its answer. */
  mark(key: string): number {
    return this.removals[bucketOf(key)] as number
  }

  put(key: string, near: Near, mark: number, place?: Place): void {
    if (!this.usable || this.mark(key) !== mark) return
    const bytes = bytesOf(near, key)
    // Without its generation, no entry can be used.
    const isGeneration = typeof near === 'string'
    if (!isGeneration && !this.known.admits(key, bytes)) return
    if (!isGeneration) near.isKept = true
    this.place(place, this.known.set(key, { near, place }, bytes))
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
    this.shelves.clear()
    for (let bucket = 0; bucket < removalBuckets; bucket += 1) this.removals[bucket] = (this.removals[bucket] as number) + 1
  }

  /** All news up to this moment (on the clock of `now`) has arrived. */
  confirm(asOf: number): void {
    this.usableUntil = Math.max(this.usableUntil, asOf + this.options.maxStalenessMs)
  }

  private place(place: Place | undefined, kept: Kept<Known> | undefined): void {
    if (!place) return
    const { namespace, id } = place
    const shelf = this.shelves.get(namespace) ?? { generation: undefined, entries: new Map() }
    this.shelves.set(namespace, shelf)
    if (id === undefined) shelf.generation = kept
    else if (kept) shelf.entries.set(id, kept)
    else shelf.entries.delete(id)
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
function bytesOf(near: Near, key: string): number {
  return 300 + 2 * key.length + (typeof near === 'string' ? near.length : 4 * near.json.length)
}
