import { Kept } from './clock-map.js'
import type { EntryHeld } from './entry.js'
import { surelyFreshUntil } from './freshness.js'

/** An entry that this process keeps, with what a hit needs at hand: every object that it had to go through would be one more wait for memory. */
export class KeptEntry extends Kept {
  readonly generation: string
  /** See CountedEntries */
  countedBy = 0
  private readonly surelyFreshUntil: number
  private parsed: unknown

  constructor(
    key: string,
    bytes: number,
    readonly held: EntryHeld,
  ) {
    super(key, bytes)
    this.generation = held.header.generation
    this.surelyFreshUntil = surelyFreshUntil(held.header)
    this.parsed = held.json === '' ? null : undefined
    held.isKept = true
  }

  /** Shared; null for a negative entry, undefined until it was parsed for a lookup. */
  get value(): unknown {
    if (this.parsed === undefined) this.parsed = this.held.hit?.value
    return this.parsed
  }

  /** Neither stale nor so near to it that it might be refilled early */
  isSurelyFresh(now: number): boolean {
    return now < this.surelyFreshUntil
  }
}
