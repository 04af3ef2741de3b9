import { ClockRingItem } from './clock-ring.js'
import type { EntryHeader } from './entry.js'
import { earlyRefreshFrom } from './freshness.js'

/**
 * An entry whose value has been parsed, and that this process keeps in memory. It holds all fields that a hit needs, because each
 * pointer to a further object may cost a cache miss of the CPU.
 */
export class DecodedEntry extends ClockRingItem {
  readonly generation: string
  readonly softUntilMs: number
  readonly fetchMs: number
  /** The number of the last request that counted this entry (see CountedEntries); 0 if none has */
  countedBy = 0

  constructor(
    bytes: number,
    { generation, softUntilMs, fetchMs }: EntryHeader,
    /** Shared between requests; null for a negative entry */
    readonly value: unknown,
  ) {
    super(bytes)
    this.generation = generation
    this.softUntilMs = softUntilMs
    this.fetchMs = fetchMs
  }

  /** Whether the entry is fresh, and its soft TTL ends so late that no early refresh can be due yet */
  isBeforeEarlyRefresh(now: number): boolean {
    return now < earlyRefreshFrom(this, this.value === null)
  }
}
