import type { DecodedEntry } from './decoded-entry.js'

let lastAssignedNumber = 0
/** The number of the request that added an entry last */
let lastCountingRequest = 0

/**
 * The entries that one request has already counted as hits. Each entry stores the number of the request that counted it last.
 * That number is sufficient until another request counts an entry in between; only then is a Set built.
 */
export class CountedEntries {
  private requestNumber = newNumber()
  private entries: DecodedEntry[] = []
  private set: Set<DecodedEntry> | undefined

  get size(): number {
    return this.set?.size ?? this.entries.length
  }

  /** Returns false if the request has counted the entry before. */
  add(entry: DecodedEntry): boolean {
    if (entry.countedBy === this.requestNumber) return false
    if (lastCountingRequest !== this.requestNumber) {
      if (this.entries.length > 0) this.set ??= new Set(this.entries)
      lastCountingRequest = this.requestNumber
    }
    if (this.set?.has(entry)) return false
    if (this.set) this.set.add(entry)
    else this.entries.push(entry)
    entry.countedBy = this.requestNumber
    return true
  }

  clear(): void {
    this.requestNumber = newNumber()
    this.entries = []
    this.set = undefined
  }
}

/** Never 0, and within V8's small integers, which need no allocation */
function newNumber(): number {
  lastAssignedNumber = lastAssignedNumber === 0x3fffffff ? 1 : lastAssignedNumber + 1
  return lastAssignedNumber
}
