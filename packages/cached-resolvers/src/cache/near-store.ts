import { ClockMap, ClockMapItem } from './clock-map.js'
import { DecodedEntry } from './decoded-entry.js'
import type { StoredEntry } from './entry.js'
import type { EntryId } from './namespace.js'

export interface NearStoreOptions {
  maxBytes: number
  /** How long entries are served after the far store last confirmed that all of its invalidation messages have arrived */
  maxStalenessMs: number
  /** Milliseconds; only differences matter. */
  now: () => number
  /** 0 to 1 */
  random: () => number
}

/** Identifies an item in the secondary index: an entry if `id` is given, otherwise the generation of the namespace. */
interface IndexKey {
  readonly namespace: string
  readonly id?: string
}

/** Returns undefined for an entry of a list, which is found by its key only. */
export function indexKeyOf(namespace: string, id: EntryId): Required<IndexKey> | undefined {
  return typeof id === 'string' ? { namespace, id } : undefined
}

export class NearEntry extends DecodedEntry {
  constructor(
    key: string,
    stored: StoredEntry,
    readonly indexKey: IndexKey | undefined,
  ) {
    super(key, entryBytes(stored, key, indexKey), stored)
  }
}

class NearGeneration extends ClockMapItem {
  constructor(
    key: string,
    readonly text: string,
    readonly indexKey: IndexKey | undefined,
  ) {
    super(key, generationBytes(text, key))
  }
}

type NearItem = NearEntry | NearGeneration

interface NamespaceIndex {
  generation: NearGeneration | undefined
  readonly entries: Map<string, NearEntry>
}

/**
 * Keeps entries that this process recently read from the far store (the CacheStore), and drops them when the far store reports
 * their invalidation. The near store is used only while all messages that the far store sent up to `maxStalenessMs` ago are known
 * to have arrived. Values are shared between requests and must not be changed.
 */
export class NearStore {
  private readonly items: ClockMap<NearItem>
  private readonly byNamespace = new Map<string, NamespaceIndex>()
  /**
   * Number of removals by hash of the key. If the number changes while a key is read from the far store, the result of the read
   * is not kept.
   */
  private readonly removalCounts = new Uint32Array(removalBuckets)
  private usableUntil = Number.NEGATIVE_INFINITY

  constructor(private readonly options: NearStoreOptions) {
    this.items = new ClockMap({
      maxBytes: options.maxBytes,
      random: options.random,
      onDelete: (item) => this.removeFromIndex(item),
    })
  }

  get maxStalenessMs(): number {
    return this.options.maxStalenessMs
  }

  get usable(): boolean {
    return this.options.now() <= this.usableUntil
  }

  get bytes(): number {
    return this.items.bytes
  }

  findEntry(key: string): NearEntry | undefined {
    const item = this.items.get(key)
    return item instanceof NearEntry ? item : undefined
  }

  findGeneration(key: string): string | undefined {
    const item = this.items.get(key)
    return item instanceof NearGeneration ? item.text : undefined
  }

  /**
   * Finds an entry by its id. Returns only an entry that was filled in the generation of the namespace that the near store has.
   */
  find(namespace: string, id: string): NearEntry | undefined {
    const index = this.byNamespace.get(namespace)
    if (!index?.generation) return undefined
    index.generation.referenced = true
    const entry = index.entries.get(id)
    if (entry?.generation !== index.generation.text) return undefined
    entry.referenced = true
    return entry
  }

  /**
   * Returns the number of removals in the bucket of the key. Call this before reading the key from the far store, and pass the
   * number to `putEntry` or `putGeneration` with the result.
   */
  removalCount(key: string): number {
    return this.removalCounts[bucketOf(key)] as number
  }

  putEntry(key: string, stored: StoredEntry, countBeforeRead: number, indexKey?: Required<IndexKey>): void {
    if (!this.usable || this.removalCount(key) !== countBeforeRead) return
    if (!this.items.admits(key, entryBytes(stored, key, indexKey))) return
    const entry = new NearEntry(key, stored, indexKey)
    if (this.items.set(entry) && indexKey) this.namespaceIndexOf(indexKey.namespace).entries.set(indexKey.id, entry)
  }

  /**
   * Unlike an entry, a generation is always admitted, because entries cannot be used without their generation. `namespace` must
   * be given for the generation of a namespace, and omitted for the generation of a list.
   */
  putGeneration(key: string, text: string, countBeforeRead: number, namespace?: string): void {
    if (!this.usable || this.removalCount(key) !== countBeforeRead) return
    const generation = new NearGeneration(key, text, namespace === undefined ? undefined : { namespace })
    if (this.items.set(generation) && namespace !== undefined) this.namespaceIndexOf(namespace).generation = generation
  }

  remove(keys: readonly string[]): void {
    for (const key of keys) {
      const bucket = bucketOf(key)
      this.removalCounts[bucket] = (this.removalCounts[bucket] as number) + 1
      this.items.delete(key)
    }
  }

  /**
   * Drops all items, and prevents reads in progress from filling the near store. To be called when invalidation messages may have
   * been missed.
   */
  clear(): void {
    this.usableUntil = Number.NEGATIVE_INFINITY
    this.items.clear()
    this.byNamespace.clear()
    for (let bucket = 0; bucket < removalBuckets; bucket += 1)
      this.removalCounts[bucket] = (this.removalCounts[bucket] as number) + 1
  }

  /**
   * To be called when all invalidation messages that were sent before `asOf` (a time of `now()`) have arrived. Lets the near
   * store be used until `maxStalenessMs` after `asOf`.
   */
  confirm(asOf: number): void {
    this.usableUntil = Math.max(this.usableUntil, asOf + this.options.maxStalenessMs)
  }

  private namespaceIndexOf(namespace: string): NamespaceIndex {
    const index = this.byNamespace.get(namespace) ?? { generation: undefined, entries: new Map() }
    this.byNamespace.set(namespace, index)
    return index
  }

  private removeFromIndex({ indexKey }: NearItem): void {
    if (!indexKey) return
    const index = this.namespaceIndexOf(indexKey.namespace)
    if (indexKey.id === undefined) index.generation = undefined
    else index.entries.delete(indexKey.id)
  }
}

const removalBuckets = 4096

/** Returns the FNV-1a hash of the key, modulo the number of buckets. */
function bucketOf(key: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < key.length; index += 1) hash = Math.imul(hash ^ key.charCodeAt(index), 0x01000193)
  return (hash >>> 0) % removalBuckets
}

/**
 * Estimates the memory of key, text and parsed value; measured with the entries of the shop and rounded up. An id may be longer
 * than its key.
 */
function entryBytes({ json }: StoredEntry, key: string, indexKey: IndexKey | undefined): number {
  return 420 + 2 * Math.max(key.length, indexKey?.id?.length ?? 0) + 4 * json.length
}

function generationBytes(text: string, key: string): number {
  return 300 + 2 * key.length + text.length
}
