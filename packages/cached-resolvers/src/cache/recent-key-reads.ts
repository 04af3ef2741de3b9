import { ClockMap, type ClockMapOptions } from './clock-map.js'
import { DecodedEntry } from './decoded-entry.js'
import type { StoredEntry } from './entry.js'
import type { GenerationScope, KeyRead } from './key-read.js'
import type { Namespace } from './namespace.js'

/** The last read of a key, with the text from which the entry was decoded */
class RecentKeyRead extends DecodedEntry implements KeyRead<string> {
  readonly near = false
  readonly id: string
  readonly generations: KeyRead<string>['generations']

  constructor(
    readonly namespace: string,
    { id, key, generations, stored }: EntryKeyRead,
    private readonly text: string,
  ) {
    super(key, bytesOf(key, id, text), stored)
    this.id = id
    this.generations = generations
  }

  /** Whether a new read has returned the same text and the same generations as this read */
  matches(text: string | null, { generations }: GenerationScope): boolean {
    return this.generations === generations && this.text === text
  }

  /** Returns the decoded entry if `text` is the text of this read; the generations may differ. */
  storedFor(text: string | null): StoredEntry | undefined {
    return this.text === text ? this.stored : undefined
  }
}

/** A key that holds an entry */
type EntryKeyRead = KeyRead<string> & { readonly stored: StoredEntry }

/**
 * Keeps the last read of each key. The read is reused while the store returns the same text, because comparing texts is cheaper
 * than decoding and parsing them. The store is still read each time, so values are never older than they would be without this
 * class. Values are shared between requests and must not be changed.
 */
export class RecentKeyReads {
  private readonly recent: ClockMap<RecentKeyRead>
  /**
   * The reads by name of the namespace, then by id. They are not found by key: V8 has cached the hash of an id, but a key would
   * have to be concatenated and hashed first.
   */
  private readonly byNamespace = new Map<string, Map<string, RecentKeyRead>>()

  constructor(options: Pick<ClockMapOptions<RecentKeyRead>, 'maxBytes' | 'random'>) {
    const onDelete = ({ namespace, id }: RecentKeyRead) => this.byNamespace.get(namespace)?.delete(id)
    this.recent = new ClockMap({ ...options, onDelete })
  }

  find(namespace: string, id: string): RecentKeyRead | undefined {
    const recent = this.byNamespace.get(namespace)?.get(id)
    if (recent) recent.referenced = true
    return recent
  }

  /** Keeps a read if its entry is valid and the map admits it. */
  keep({ name, version }: Namespace<unknown>, keyRead: KeyRead<string>, text: string | null): void {
    if (text === null || !isValid(keyRead, version) || !this.recent.admits(keyRead.key, bytesOf(keyRead.key, keyRead.id, text)))
      return
    const recent = new RecentKeyRead(name, keyRead, text)
    if (!this.recent.set(recent)) return
    const byId = this.byNamespace.get(name) ?? new Map<string, RecentKeyRead>()
    this.byNamespace.set(name, byId.set(keyRead.id, recent))
  }
}

function isValid(keyRead: KeyRead<string>, version: number): keyRead is EntryKeyRead {
  const { stored, generation } = keyRead
  return stored.state === 'entry' && stored.header.generation === generation && stored.header.version === version
}

/** Estimates the memory of key, text, header and parsed value. An id may be longer than its key. */
function bytesOf(key: string, id: string, text: string): number {
  return 400 + 2 * Math.max(key.length, id.length) + 4 * text.length
}
