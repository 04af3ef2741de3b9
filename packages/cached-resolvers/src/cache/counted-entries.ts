import type { DecodedEntry } from './decoded-entry.js'

let lastAssignedNumber = 0
/** The number of the request that most recently added an entry */
let lastCountingRequest = 0

/**
 * The entries that one request has already counted as hits. Each entry stores the number of the last request that counted it, and
 * this number suffices as long as requests count one after another. If another request counts entries in between, it may
 * overwrite the number of this request, so this request then keeps its entries in a Set.
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

/** Never returns 0, which marks an entry that was not counted. The number is a small integer of V8, which needs no allocation. */
function newNumber(): number {
  lastAssignedNumber = lastAssignedNumber === 0x3fffffff ? 1 : lastAssignedNumber + 1
  return lastAssignedNumber
}
