import type { CacheStore } from 'cached-resolvers'
import { addCount, type Counts } from './counts.js'

/** What a process counted since its previous sample, as integers by name, without those that are 0 */
export interface Sample {
  counts: Counts
  maxima: Counts
}

export interface HistoryOptions {
  store: CacheStore
  /** The store's key for a slot number */
  keyOf: (slot: number) => string
  slotMs: number
  slotCount: number
  createToken: () => string
  /** Wall clock in milliseconds, so that all processes use the same slots */
  now: () => number
}

export interface HistoryRange {
  /**
   * `all` stands for the processes that share the store, and `this process` for this process alone, if the store is not
   * available.
   */
  scope: 'all' | 'this process'
  /** Oldest first; `at` is the start of the slot in milliseconds */
  slots: { at: number; counts: Counts }[]
}

interface Batch {
  id: string
  slot: number
  counts: Counts
}

/**
 * Counts of the last `slotCount` time slots, summed across all processes that share the store. Each process adds its counts to
 * the hash of a slot in batches, each batch exactly once. While the store is unavailable, batches stay pending, and only the
 * counts of this process can be read.
 */
export class History {
  private readonly own = new Map<number, Map<string, number>>()
  private readonly pending = new Map<number, Map<string, number>>()
  private batches: Batch[] = []
  private writing: Promise<void> | undefined
  /** Slots as read from the store, by slot number. The slot that was read longest ago comes first. */
  private readonly fetched = new Map<number, Counts>()

  constructor(private readonly options: HistoryOptions) {}

  /**
   * Adds counts of this process to the current slot. Of a maximum, the slot keeps the largest value. The name of a maximum must be
   * used by this process only, because the store sums the counts of all processes.
   */
  add({ counts, maxima }: Sample): void {
    const slot = this.currentSlot()
    for (const [name, count] of counts) this.addToSlot(slot, name, count)
    for (const [name, value] of maxima) {
      const increase = value - (this.own.get(slot)?.get(name) ?? 0)
      if (increase > 0) this.addToSlot(slot, name, increase)
    }
    this.dropOldSlots()
  }

  /** Writes pending counts to the store. If the store fails, rejects, and the counts stay pending. */
  writePending(): Promise<void> {
    this.writing ??= this.writeBatches().finally(() => {
      this.writing = undefined
    })
    return this.writing
  }

  /** Returns the counts of this process if the store fails. Never rejects. */
  async readRange(): Promise<HistoryRange> {
    try {
      await this.writePending()
      await this.readSlots()
      return { scope: 'all', slots: this.slotNumbers().map((slot) => this.withStart(slot, this.fetched.get(slot))) }
    } catch {
      return { scope: 'this process', slots: this.slotNumbers().map((slot) => this.withStart(slot, this.own.get(slot))) }
    }
  }

  private addToSlot(slot: number, name: string, count: number): void {
    addTo(this.own, slot, name, count)
    addTo(this.pending, slot, name, count)
  }

  private async writeBatches(): Promise<void> {
    if (this.batches.length === 0) {
      this.batches = [...this.pending].map(([slot, counts]) => ({ id: this.options.createToken(), slot, counts }))
      this.pending.clear()
    }
    const { store, keyOf, slotMs, slotCount } = this.options
    for (const batch of [...this.batches]) {
      await store.addCounts(keyOf(batch.slot), batch.id, batch.counts, (slotCount + 2) * slotMs)
      this.batches = this.batches.filter((other) => other !== batch)
    }
  }

  private async readSlots(): Promise<void> {
    const { store, keyOf } = this.options
    const slots = this.slotsToRead()
    const counts = await Promise.all(slots.map((slot) => store.readCounts(keyOf(slot))))
    for (const [index, slot] of slots.entries()) {
      this.fetched.delete(slot)
      this.fetched.set(slot, counts[index] as Counts)
    }
  }

  /**
   * Returns the latest slots, which still grow, all slots that were never read, and a few old slots, because a process may write
   * late.
   */
  private slotsToRead(): number[] {
    const slots = this.slotNumbers()
    const unread = slots.filter((slot) => !this.fetched.has(slot))
    return [...new Set([...slots.slice(-growingSlots), ...unread, ...[...this.fetched.keys()].slice(0, rereadPerCall)])]
  }

  private withStart(slot: number, counts: Counts | undefined) {
    return { at: slot * this.options.slotMs, counts: counts ?? new Map<string, number>() }
  }

  private slotNumbers(): number[] {
    const first = this.currentSlot() - this.options.slotCount + 1
    return Array.from({ length: this.options.slotCount }, (_, index) => first + index)
  }

  private currentSlot(): number {
    return Math.floor(this.options.now() / this.options.slotMs)
  }

  private dropOldSlots(): void {
    const oldest = this.currentSlot() - this.options.slotCount
    for (const bySlot of [this.own, this.pending, this.fetched])
      for (const slot of bySlot.keys()) if (slot < oldest) bySlot.delete(slot)
    this.batches = this.batches.filter(({ slot }) => slot >= oldest)
  }
}

function addTo(bySlot: Map<number, Map<string, number>>, slot: number, name: string, count: number): void {
  const counts = bySlot.get(slot) ?? new Map<string, number>()
  addCount(counts, name, count)
  bySlot.set(slot, counts)
}

const growingSlots = 3
const rereadPerCall = 20
