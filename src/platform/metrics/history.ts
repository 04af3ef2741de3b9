import type { CacheStore } from 'cached-resolvers'

export type Counts = ReadonlyMap<string, number>

export interface HistoryOptions {
  store: CacheStore
  /** Of the slot with that number, in the store */
  keyOf: (slot: number) => string
  slotMs: number
  slots: number
  /** What this process counted since it began */
  totals: () => Counts
  createToken: () => string
  /** Wall clock in milliseconds: all processes have the same slots. */
  now: () => number
}

export interface Past {
  /** Whether it is that of all processes that share the store, or of this one alone, because the store cannot be asked */
  of: 'all' | 'this process'
  /** The oldest first; by the time of their beginning in milliseconds */
  slots: { at: number; counts: Counts }[]
}

interface Batch {
  id: string
  slot: number
  counts: Counts
}

/**
 * What happened in the last so many slots of time, summed over all processes that share the store. Each adds what it counted to the sums
 * of the slot, each batch exactly once; with the store away that waits, and what this process counted is at hand.
 */
export class History {
  private last: Counts = new Map()
  private readonly own = new Map<number, Map<string, number>>()
  private readonly pending = new Map<number, Map<string, number>>()
  private batches: Batch[] = []
  private sharing: Promise<void> | undefined
  /** As read from the store; what was read longest ago comes first. */
  private readonly read = new Map<number, Counts>()

  constructor(private readonly options: HistoryOptions) {}

  /** Adds what came since it was last called to the slot of this moment. */
  sample(): void {
    const totals = this.options.totals()
    const slot = this.currentSlot()
    for (const [name, total] of totals) {
      const count = total - (this.last.get(name) ?? 0)
      if (count === 0) continue
      addTo(this.own, slot, name, count)
      addTo(this.pending, slot, name, count)
    }
    this.last = totals
    this.forgetOld()
  }

  /** Carries to the store what it lacks. Rejects when the store does; nothing is lost then. */
  share(): Promise<void> {
    this.sharing ??= this.deliver().finally(() => {
      this.sharing = undefined
    })
    return this.sharing
  }

  /** Never rejects. */
  async past(): Promise<Past> {
    try {
      await this.share()
      await this.readDue()
      return { of: 'all', slots: this.slots().map((slot) => this.entry(slot, this.read.get(slot))) }
    } catch {
      return { of: 'this process', slots: this.slots().map((slot) => this.entry(slot, this.own.get(slot))) }
    }
  }

  private async deliver(): Promise<void> {
    if (this.batches.length === 0) {
      this.batches = [...this.pending].map(([slot, counts]) => ({ id: this.options.createToken(), slot, counts }))
      this.pending.clear()
    }
    const { store, keyOf, slotMs, slots } = this.options
    for (const batch of [...this.batches]) {
      await store.addCounts(keyOf(batch.slot), batch.id, batch.counts, (slots + 2) * slotMs)
      this.batches = this.batches.filter((other) => other !== batch)
    }
  }

  private async readDue(): Promise<void> {
    const { store, keyOf } = this.options
    const due = this.due()
    const counts = await Promise.all(due.map((slot) => store.readCounts(keyOf(slot))))
    for (const [index, slot] of due.entries()) {
      this.read.delete(slot)
      this.read.set(slot, counts[index] as Counts)
    }
  }

  /** The latest, which go on growing, and some old ones: a process may deliver late. */
  private due(): number[] {
    const slots = this.slots()
    const unread = slots.filter((slot) => !this.read.has(slot))
    return [...new Set([...slots.slice(-slotsThatGrow), ...unread, ...[...this.read.keys()].slice(0, rereadAtOnce)])]
  }

  private entry(slot: number, counts: Counts | undefined) {
    return { at: slot * this.options.slotMs, counts: counts ?? new Map<string, number>() }
  }

  private slots(): number[] {
    const first = this.currentSlot() - this.options.slots + 1
    return Array.from({ length: this.options.slots }, (_, index) => first + index)
  }

  private currentSlot(): number {
    return Math.floor(this.options.now() / this.options.slotMs)
  }

  private forgetOld(): void {
    const oldest = this.currentSlot() - this.options.slots
    for (const bySlot of [this.own, this.pending, this.read])
      for (const slot of bySlot.keys()) if (slot < oldest) bySlot.delete(slot)
    this.batches = this.batches.filter(({ slot }) => slot >= oldest)
  }
}

function addTo(bySlot: Map<number, Map<string, number>>, slot: number, name: string, count: number): void {
  const counts = bySlot.get(slot) ?? new Map<string, number>()
  counts.set(name, (counts.get(name) ?? 0) + count)
  bySlot.set(slot, counts)
}

const slotsThatGrow = 3
const rereadAtOnce = 20
