import { ClockMapItem } from './clock-map.js'
import type { StoredEntry } from './entry.js'
import { earlyRefreshFrom } from './freshness.js'

/**
 * An entry that this process keeps. It holds all fields that a hit needs: each further object to follow could be another cache
 * miss of the CPU.
 */
export class DecodedEntry extends ClockMapItem {
  readonly generation: string
  /** See CountedEntries */
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

  /** Shared between requests; null for a negative entry, undefined until a lookup has parsed it. */
  get value(): unknown {
    if (this.parsed === undefined) this.parsed = this.stored.hit?.value
    return this.parsed
  }

  /** Neither stale nor near enough to it that an early refresh could be due */
  isBeforeEarlyRefresh(now: number): boolean {
    return now < this.earlyRefreshFrom
  }
}
