import { ClockMapItem } from './clock-map.js'
import type { StoredEntry } from './entry.js'
import { earlyRefreshFrom } from './freshness.js'

/**
 * A decoded entry that this process keeps in memory. It holds all fields that a hit needs, because each pointer to a further
 * object may cost a cache miss of the CPU.
 */
export class DecodedEntry extends ClockMapItem {
  readonly generation: string
  /** The number of the last request that counted this entry (see CountedEntries); 0 if none has */
  countedBy = 0
  private readonly earlyRefreshFrom: number
  private parsed: unknown

  constructor(
    key: string,
    bytes: number,
    readonly stored: StoredEntry,
  ) {
    super(key, bytes)
    this.generation = stored.header.generation
    this.earlyRefreshFrom = earlyRefreshFrom(stored.header)
    this.parsed = stored.json === '' ? null : undefined
    stored.isShared = true
  }

  /** The value, shared between requests; null for a negative entry, undefined until a lookup has parsed the JSON. */
  get value(): unknown {
    if (this.parsed === undefined) this.parsed = this.stored.hit?.value
    return this.parsed
  }

  /** Whether the entry is fresh, and its soft TTL ends so late that no early refresh can be due yet */
  isBeforeEarlyRefresh(now: number): boolean {
    return now < this.earlyRefreshFrom
  }
}
