import { ClockMap, Kept } from './clock-map.js'
import type { EntryHeld } from './entry.js'
import { KeptEntry } from './kept-entry.js'

export interface NearStoreOptions {
  maxBytes: number
  /** Nothing is answered that was last known to be right longer ago than this. */
  maxStalenessMs: number
  /** Milliseconds; only differences matter. */
  now: () => number
  /** 0 to 1 */
  random: () => number
}

/** In a namespace: an entry by id, or the namespace's generation where there is no id */
interface Place {
  readonly namespace: string
  readonly id?: string
}

export class NearEntry extends KeptEntry {
  constructor(
    key: string,
    held: EntryHeld,
    readonly place: Place | undefined,
  ) {
    super(key, entryBytes(held, key, place), held)
  }
}

class NearGeneration extends Kept {
  constructor(
    key: string,
    readonly text: string,
    readonly place: Place | undefined,
  ) {
    super(key, generationBytes(text, key))
  }
}

type Known = NearEntry | NearGeneration

interface Shelf {
  generation: NearGeneration | undefined
  readonly entries: Map<string, NearEntry>
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
    this.known = new ClockMap({ maxBytes: options.maxBytes, random: options.random, onDelete: (its) => this.unplace(its) })
  }

  get maxStalenessMs(): number {
    return this.options.maxStalenessMs
  }

  get usable(): boolean {
    return this.options.now() <= this.usableUntil
  }

  get bytes(): number {
    return this.known.bytes
  }

  findEntry(key: string): NearEntry | undefined {
    const known = this.known.get(key)
    return known instanceof NearEntry ? known : undefined
  }

  /** The text of the generation */
  findGeneration(key: string): string | undefined {
    const known = this.known.get(key)
    return known instanceof NearGeneration ? known.text : undefined
  }

  /** The entry in this place, where it was filled under the generation that is known of its namespace. */
  find(namespace: string, id: string): NearEntry | undefined {
    const shelf = this.shelves.get(namespace)
    if (!shelf?.generation) return undefined
    shelf.generation.used = true
    const entry = shelf.entries.get(id)
    if (entry?.generation !== shelf.generation.text) return undefined
    entry.used = true
    return entry
  }

  /** To be taken before the far store is asked, and given with its answer to what puts it. */
  mark(key: string): number {
    return this.removals[bucketOf(key)] as number
  }

  putEntry(key: string, held: EntryHeld, mark: number, place?: Required<Place>): void {
    if (!this.usable || this.mark(key) !== mark) return
    if (!this.known.admits(key, entryBytes(held, key, place))) return
    const entry = new NearEntry(key, held, place)
    if (this.known.set(entry) && place) this.shelfOf(place.namespace).entries.set(place.id, entry)
  }

  /** Whatever the room: without its generation, no entry can be used. `namespace`: where it is that of a whole namespace */
  putGeneration(key: string, text: string, mark: number, namespace?: string): void {
    if (!this.usable || this.mark(key) !== mark) return
    const generation = new NearGeneration(key, text, namespace === undefined ? undefined : { namespace })
    if (this.known.set(generation) && namespace !== undefined) this.shelfOf(namespace).generation = generation
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

  private shelfOf(namespace: string): Shelf {
    const shelf = this.shelves.get(namespace) ?? { generation: undefined, entries: new Map() }
    this.shelves.set(namespace, shelf)
    return shelf
  }

  private unplace({ place }: Known): void {
    if (!place) return
    const shelf = this.shelfOf(place.namespace)
    if (place.id === undefined) shelf.generation = undefined
    else shelf.entries.delete(place.id)
  }
}

const removalBuckets = 4096

/** FNV-1a */
function bucketOf(key: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < key.length; index += 1) hash = Math.imul(hash ^ key.charCodeAt(index), 0x01000193)
  return (hash >>> 0) % removalBuckets
}

/** Key, text and, once it was parsed, the value; measured on this shop's entries, rounded up. An id may be longer than its key. */
function entryBytes({ json }: EntryHeld, key: string, place: Place | undefined): number {
  return 420 + 2 * Math.max(key.length, place?.id?.length ?? 0) + 4 * json.length
}

function generationBytes(text: string, key: string): number {
  return 300 + 2 * key.length + text.length
}
