import { ClockRing, ClockRingItem } from './clock-ring.js'
import { copyOf } from './copy-of.js'
import { DecodedEntry } from './decoded-entry.js'
import type { EntryHeader, StoredEntry } from './entry.js'
import type { Keys } from './key.js'
import type { EntryId } from './namespace.js'
import { parseShared } from './parse-entry.js'

export interface NearStoreOptions {
  keys: Pick<Keys, 'parse'>
  maxBytes: number
  /** How long entries are served after the far store last confirmed that all of its invalidation messages have arrived */
  maxStalenessMs: number
  /** Milliseconds; only differences matter. */
  now: () => number
  /** 0 to 1 */
  random: () => number
}

/** An entry of the near store. It keeps no text of the far store, only the value and what a hit needs. */
export class NearEntry extends DecodedEntry {
  constructor(
    /** The map that contains this entry under `name` */
    readonly map: Map<string, NearItem>,
    readonly name: string,
    bytes: number,
    header: EntryHeader,
    value: unknown,
  ) {
    super(bytes, header, value)
  }

  /** Distinguishes this entry from the values of the far store (see KeyRead.stored). */
  get state(): 'near' {
    return 'near'
  }
}

class NearGeneration extends ClockRingItem {
  constructor(
    readonly map: Map<string, NearItem>,
    readonly name: string,
    readonly text: string,
    /** Undefined for the generation of a list */
    readonly namespaceItems?: NamespaceItems,
  ) {
    super(generationBytes(name, text))
  }
}

type NearItem = NearEntry | NearGeneration

interface NamespaceItems {
  generation: NearGeneration | undefined
  /**
   * Entries by id. They are not found by key: V8 has cached the hash of an id, but a key would have to be concatenated and hashed
   * first.
   */
  readonly entries: Map<string, NearItem>
}

/**
 * Keeps entries that this process recently read from the far store (the CacheStore) or filled, and drops them when the far store
 * reports their invalidation. The near store is used only while it is known that every message that the far store sent before
 * `now() - maxStalenessMs` has arrived. Values are shared between requests and must not be changed.
 */
export class NearStore {
  private readonly ring: ClockRing<NearItem>
  private readonly byNamespace = new Map<string, NamespaceItems>()
  /** The generations, and the entries of lists */
  private readonly byKey = new Map<string, NearItem>()
  /**
   * Number of removals by hash of the key. If the number changes while a key is read from the far store, the result of the read
   * is not kept.
   */
  private readonly removalCounts = new Uint32Array(removalBuckets)
  private usableUntil = Number.NEGATIVE_INFINITY

  constructor(private readonly options: NearStoreOptions) {
    this.ring = new ClockRing({ ...options, onEvict: forget })
  }

  get maxStalenessMs(): number {
    return this.options.maxStalenessMs
  }

  get usable(): boolean {
    return this.options.now() <= this.usableUntil
  }

  get bytes(): number {
    return this.ring.bytes
  }

  /** Finds an entry by its id. Returns it only if the near store also has the generation in which the entry was filled. */
  find(namespace: string, id: string): NearEntry | undefined {
    const items = this.byNamespace.get(namespace)
    if (!items?.generation) return undefined
    items.generation.referenced = true
    const entry = items.entries.get(id) as NearEntry | undefined
    if (entry?.generation !== items.generation.text) return undefined
    entry.referenced = true
    return entry
  }

  /** Finds an entry of a list, whatever its generation. */
  findListEntry(key: string): NearEntry | undefined {
    const item = this.byKey.get(key)
    if (!(item instanceof NearEntry)) return undefined
    item.referenced = true
    return item
  }

  findGeneration(key: string): string | undefined {
    const item = this.byKey.get(key)
    if (!(item instanceof NearGeneration)) return undefined
    item.referenced = true
    return item.text
  }

  /**
   * Returns the number of removals in the bucket of the key. Call this before reading the key from the far store, and pass the
   * number to `putEntry` or `putGeneration` with the result.
   */
  removalCount(key: string): number {
    return this.removalCounts[bucketOf(key)] as number
  }

  /**
   * Keeps an entry if the near store admits it and its JSON is valid. Does not keep an entry whose id does not follow from its key,
   * because `remove` could not find it.
   */
  putEntry(namespace: string, { id, key }: { id: EntryId; key: string }, stored: StoredEntry, countBeforeRead: number): void {
    if (!this.usable || this.removalCount(key) !== countBeforeRead) return
    const isListEntry = typeof id !== 'string'
    const map = isListEntry ? this.byKey : this.itemsOf(namespace).entries
    const name = isListEntry ? key : id
    // The entries of a namespace share the text of one generation. Each entry of a list has its own.
    const bytes = entryBytes(name, stored.json) + (isListEntry ? stored.header.generation.length : 0)
    if (!map.has(name) && !this.ring.admits(bytes)) return
    if (!isListEntry && !this.isFoundByKey(namespace, id, key)) return
    const value = parseShared(stored)
    if (value === undefined) return
    const { header } = stored
    const ownHeader = isListEntry ? { ...header, generation: copyOf(header.generation) } : header
    this.put(new NearEntry(map, copyOf(name), bytes, ownHeader, value))
  }

  private isFoundByKey(namespace: string, id: string, key: string): boolean {
    const parts = this.options.keys.parse(key)
    return parts?.namespace === namespace && parts.idOrList === id
  }

  /**
   * Unlike an entry, a generation is always admitted, because entries cannot be used without their generation. `namespace` must
   * be given for the generation of a namespace, and omitted for the generation of a list.
   */
  putGeneration(key: string, text: string, countBeforeRead: number, namespace?: string): void {
    if (!this.usable || this.removalCount(key) !== countBeforeRead) return
    const namespaceItems = namespace === undefined ? undefined : this.itemsOf(namespace)
    const generation = new NearGeneration(this.byKey, key, text, namespaceItems)
    if (this.put(generation) && namespaceItems) namespaceItems.generation = generation
  }

  remove(keys: readonly string[]): void {
    for (const key of keys) {
      const bucket = bucketOf(key)
      this.removalCounts[bucket] = (this.removalCounts[bucket] as number) + 1
      this.delete(this.byKey.get(key))
      const parts = this.options.keys.parse(key)
      if (parts) this.delete(this.byNamespace.get(parts.namespace)?.entries.get(parts.idOrList))
    }
  }

  /**
   * Drops all items, and prevents reads in progress from filling the near store. To be called when invalidation messages may have
   * been missed.
   */
  clear(): void {
    this.usableUntil = Number.NEGATIVE_INFINITY
    this.ring.clear()
    this.byKey.clear()
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

  private itemsOf(namespace: string): NamespaceItems {
    const items = this.byNamespace.get(namespace) ?? { generation: undefined, entries: new Map() }
    this.byNamespace.set(namespace, items)
    return items
  }

  /** Returns false if the item is larger than the near store. */
  private put(item: NearItem): boolean {
    this.delete(item.map.get(item.name))
    if (!this.ring.add(item)) return false
    item.map.set(item.name, item)
    return true
  }

  private delete(item: NearItem | undefined): void {
    if (!item) return
    this.ring.delete(item)
    forget(item)
  }
}

/** Removes the item from the maps by which it is found. */
function forget(item: NearItem): void {
  item.map.delete(item.name)
  if (item instanceof NearGeneration && item.namespaceItems) item.namespaceItems.generation = undefined
}

const removalBuckets = 4096

/** Returns the FNV-1a hash of the key, modulo the number of buckets. */
function bucketOf(key: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < key.length; index += 1) hash = Math.imul(hash ^ key.charCodeAt(index), 0x01000193)
  return (hash >>> 0) % removalBuckets
}

/** Estimates the memory of name and parsed value; measured with the entries of the shop and rounded up. */
function entryBytes(name: string, json: string): number {
  return Math.ceil(270 + 2 * name.length + 2.5 * json.length)
}

function generationBytes(key: string, text: string): number {
  return 300 + 2 * key.length + text.length
}
