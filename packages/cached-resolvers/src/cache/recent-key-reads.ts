import { ClockRing, type ClockRingOptions } from './clock-ring.js'
import { copyOf } from './copy-of.js'
import { DecodedEntry } from './decoded-entry.js'
import type { StoredEntry } from './entry.js'
import { type EntryKeyRead, type GenerationScope, isValid, type KeyRead } from './key-read.js'
import type { EntryId, Namespace } from './namespace.js'
import { parseShared } from './parse-entry.js'

/** The last read of a key, with the text from which the entry was decoded */
class RecentKeyRead extends DecodedEntry implements KeyRead<string> {
  readonly key: string
  readonly stored: StoredEntry
  readonly generations: KeyRead<string>['generations']

  constructor(
    /** The map that contains this read under `id` */
    readonly map: Map<string, RecentKeyRead>,
    readonly id: string,
    { key, generations, stored }: EntryKeyRead,
    private readonly text: string,
    value: unknown,
  ) {
    super(bytesOf(key, id, text), stored.header, value)
    this.key = key
    this.stored = stored
    this.generations = generations
  }

  /**
   * Whether a new read of an id has returned the same text and the same generations as this read. Entries of lists do not match, because
   * each read of a list has another id object and other generations; see storedFor().
   */
  matches(text: string | null, { generations }: GenerationScope): boolean {
    return this.generations === generations && this.text === text
  }

  /** Returns the decoded entry if `text` is the text of this read; the generations may differ. */
  storedFor(text: string | null): StoredEntry | undefined {
    return this.text === text ? this.stored : undefined
  }
}

/**
 * Keeps the last read of each key. The read is reused while the store returns the same text, because comparing texts is cheaper
 * than decoding and parsing them. The store is still read each time, so values are never older than they would be without this
 * class. Values are shared between requests and must not be changed.
 */
export class RecentKeyReads {
  private readonly ring: ClockRing<RecentKeyRead>
  /**
   * The reads by name of the namespace, then by id, or by key for the entries of lists. Ids are not found by key: V8 has cached the
   * hash of an id, but a key would have to be concatenated and hashed first.
   */
  private readonly byNamespace = new Map<string, Map<string, RecentKeyRead>>()

  constructor(options: Pick<ClockRingOptions<RecentKeyRead>, 'maxBytes' | 'random'>) {
    this.ring = new ClockRing({ ...options, onEvict: ({ map, id }) => map.delete(id) })
  }

  find(namespace: string, idOrKey: string): RecentKeyRead | undefined {
    return findIn(this.byNamespace.get(namespace), idOrKey)
  }

  /** Returns the reads in the order of the ids or keys. */
  findMany(namespace: string, idsOrKeys: readonly string[]): (RecentKeyRead | undefined)[] {
    const byId = this.byNamespace.get(namespace)
    return idsOrKeys.map((idOrKey) => findIn(byId, idOrKey))
  }

  /** Keeps a read if its entry is valid and the ring admits it. */
  keep({ name, version }: Namespace<unknown>, keyRead: KeyRead<EntryId>, text: string | null): void {
    if (text === null || !isValid(keyRead, version)) return
    const idOrKey = typeof keyRead.id === 'string' ? keyRead.id : keyRead.key
    const map = this.byNamespace.get(name) ?? new Map<string, RecentKeyRead>()
    this.byNamespace.set(name, map)
    if (!map.has(idOrKey) && !this.ring.admits(bytesOf(keyRead.key, idOrKey, text))) return
    const value = parseShared(keyRead.stored)
    if (value !== undefined) this.put(new RecentKeyRead(map, copyOf(idOrKey), keyRead, text, value))
  }

  private put(recent: RecentKeyRead): void {
    const { map, id } = recent
    const previous = map.get(id)
    if (previous) this.ring.delete(previous)
    if (this.ring.add(recent)) map.set(id, recent)
    else map.delete(id)
  }
}

function findIn(byId: ReadonlyMap<string, RecentKeyRead> | undefined, idOrKey: string): RecentKeyRead | undefined {
  const recent = byId?.get(idOrKey)
  if (recent) recent.referenced = true
  return recent
}

/** Estimates the memory of key, text, header and parsed value. An id may be longer than its key, because a long id is hashed in the key. */
function bytesOf(key: string, id: string, text: string): number {
  return 400 + 2 * Math.max(key.length, id.length) + 4 * text.length
}
