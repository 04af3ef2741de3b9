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

/** A key and what it holds */
interface Known {
  readonly key: string
  readonly near: Near
  readonly bytes: number
  /** Where it can also be found by its id */
  readonly ids: Map<string, Known> | undefined
  readonly id: string | undefined
  /** Since it was last passed over by eviction */
  used: boolean
}

/**
 * What this process read from the far store a moment ago, kept right by the far store's news of removals. It is used only while
 * that news is known to be complete up to `maxStalenessMs` ago. Values are shared between requests: nobody may change them.
 * When it is full, the oldest goes that was not used since it was last spared (CLOCK, or second chance): a hit costs no more than a look.
 */
export class NearStore {
  /** The oldest first */
  private readonly known = new Map<string, Known>()
  /** By namespace, then by id: a look-up needs no key. */
  private readonly byId = new Map<string, Map<string, Known>>()
  /** Counts removals by hash of the key, so that a read that was under way during one is not kept. */
  private readonly removals = new Uint32Array(removalBuckets)
  private usableUntil = Number.NEGATIVE_INFINITY
  private size = 0

  constructor(private readonly options: NearStoreOptions) {}

  get usable(): boolean {
    return this.options.now() <= this.usableUntil
  }

  get bytes(): number {
    return this.size
  }

  get(key: string): Near | undefined {
    return use(this.known.get(key))
  }

  /** What was put with this id. */
  find(namespace: string, id: string): Near | undefined {
    return use(this.byId.get(namespace)?.get(id))
  }

  /** To be taken before the far store is asked, and given to `put` with its answer. */
  mark(key: string): number {
    return this.removals[bucketOf(key)] as number
  }

  put(key: string, near: Near, mark: number, findable?: { namespace: string; id: string }): void {
    if (!this.usable || this.mark(key) !== mark) return
    this.delete(this.known.get(key))
    const ids = findable && this.idsOf(findable.namespace)
    const known = { key, near, bytes: bytesOf(near, key), ids, id: findable?.id, used: false }
    this.known.set(key, known)
    ids?.set(findable?.id as string, known)
    this.size += known.bytes
    this.evict()
  }

  remove(keys: readonly string[]): void {
    for (const key of keys) {
      const bucket = bucketOf(key)
      this.removals[bucket] = (this.removals[bucket] as number) + 1
      this.delete(this.known.get(key))
    }
  }

  /** News may have been missed: nothing that was known, and nothing that is being read, is kept. */
  clear(): void {
    this.usableUntil = Number.NEGATIVE_INFINITY
    this.known.clear()
    this.byId.clear()
    this.size = 0
    for (let bucket = 0; bucket < removalBuckets; bucket += 1) this.removals[bucket] = (this.removals[bucket] as number) + 1
  }

  /** All news up to this moment (on the clock of `now`) has arrived. */
  confirm(asOf: number): void {
    this.usableUntil = Math.max(this.usableUntil, asOf + this.options.maxStalenessMs)
  }

  private idsOf(namespace: string): Map<string, Known> {
    const ids = this.byId.get(namespace) ?? new Map<string, Known>()
    this.byId.set(namespace, ids)
    return ids
  }

  private delete(known: Known | undefined): void {
    if (!known) return
    this.known.delete(known.key)
    if (known.id !== undefined) known.ids?.delete(known.id)
    this.size -= known.bytes
  }

  private evict(): void {
    for (const known of this.known.values()) {
      if (this.size <= this.options.maxBytes) return
      if (known.used) this.spare(known)
      else this.delete(known)
    }
  }

  /** It becomes the youngest. */
  private spare(known: Known): void {
    known.used = false
    this.known.delete(known.key)
    this.known.set(known.key, known)
  }
}

function use(known: Known | undefined): Near | undefined {
  if (!known) return undefined
  known.used = true
  return known.near
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
