export interface ClockMapOptions<Item> {
  maxBytes: number
  /** 0 to 1 */
  random: () => number
  /** Called for each item that is deleted, evicted or replaced; not called by `clear` */
  onDelete?: (item: Item) => void
}

/** Items extend this class instead of being wrapped by the map, because a hit then follows one pointer less. */
export class ClockMapItem {
  /** The reference bit: whether the item was used since the clock hand last passed it */
  referenced = false
  /** Index in the ring; -1 until the item is set */
  position = -1

  constructor(
    readonly key: string,
    readonly bytes: number,
  ) {}
}

/**
 * A map of bounded size that evicts items by the CLOCK (second chance) algorithm: a hand moves around a ring and removes the
 * items that were not used since the hand last passed. A hit only sets a bit. Code that finds an item through a secondary index
 * must set `referenced` itself.
 */
export class ClockMap<Item extends ClockMapItem> {
  private readonly items = new Map<string, Item>()
  private ring: (Item | undefined)[] = []
  /** Unused positions of the ring */
  private free: number[] = []
  private hand = 0
  private totalBytes = 0

  constructor(private readonly options: ClockMapOptions<Item>) {}

  get bytes(): number {
    return this.totalBytes
  }

  get(key: string): Item | undefined {
    const item = this.items.get(key)
    if (item) item.referenced = true
    return item
  }

  /**
   * Whether a new item should be set although it could be left out. A full map rejects most new items: if the working set is
   * larger than the map, the cost of setting each item exceeds what the few hits before its eviction save. Items that are
   * requested often are admitted eventually.
   */
  admits(key: string, bytes: number): boolean {
    return this.totalBytes + bytes <= this.options.maxBytes || this.items.has(key) || this.options.random() < admissionProbability
  }

  /**
   * Adds the item. Replaces the item with the same key, if any. Returns false if the item is larger than the map. An item may be
   * set only once.
   */
  set(item: Item): boolean {
    this.delete(item.key)
    if (item.bytes > this.options.maxBytes) return false
    this.makeRoom(item.bytes)
    item.position = this.free.pop() ?? this.ring.length
    this.ring[item.position] = item
    this.items.set(item.key, item)
    this.totalBytes += item.bytes
    return true
  }

  delete(key: string): void {
    const item = this.items.get(key)
    if (!item) return
    this.items.delete(key)
    this.ring[item.position] = undefined
    this.free.push(item.position)
    this.totalBytes -= item.bytes
    this.options.onDelete?.(item)
  }

  clear(): void {
    this.items.clear()
    this.ring = []
    this.free = []
    this.hand = 0
    this.totalBytes = 0
  }

  private makeRoom(bytes: number): void {
    while (this.totalBytes + bytes > this.options.maxBytes) {
      const item = this.ring[this.hand]
      if (item?.referenced) item.referenced = false
      else if (item) this.delete(item.key)
      this.hand = (this.hand + 1) % this.ring.length
    }
  }
}

const admissionProbability = 1 / 8
