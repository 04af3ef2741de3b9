import type { KeptEntry } from './kept-entry.js'

let lastNumber = 0
/** The number of what was added to last */
let latest = 0

/**
 * The entries that one request has counted. Each bears the number of the request that counted it last; as long as no other request
 * has counted one meanwhile, that is all there is to know, and a set of them is made only after that.
 */
export class CountedEntries {
  private number = newNumber()
  private entries: KeptEntry[] = []
  private set: Set<KeptEntry> | undefined

  get size(): number {
    return this.set?.size ?? this.entries.length
  }

  /** Answers whether it was not there. */
  add(entry: KeptEntry): boolean {
    if (entry.countedBy === this.number) return false
    if (latest !== this.number) {
      if (this.entries.length > 0) this.set ??= new Set(this.entries)
      latest = this.number
    }
    if (this.set?.has(entry)) return false
    if (this.set) this.set.add(entry)
    else this.entries.push(entry)
    entry.countedBy = this.number
    return true
  }

  clear(): void {
    this.number = newNumber()
    this.entries = []
    this.set = undefined
  }
}

/** Never 0, and small enough to need no memory of its own */
function newNumber(): number {
  lastNumber = lastNumber === 0x3fffffff ? 1 : lastNumber + 1
  return lastNumber
}
