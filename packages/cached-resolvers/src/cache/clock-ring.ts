export interface ClockRingOptions<Item> {
  maxBytes: number
  /** 0 to 1 */
  random: () => number
  /** Called for each item that is evicted */
  onEvict: (item: Item) => void
}

/** Items extend this class instead of being wrapped by the ring, because a hit then follows one pointer less. */
export class ClockRingItem {
  /** The reference bit: whether the item was used since the clock hand last passed it. To be set by the code that finds an item. */
  referenced = false
  /** Index in the ring; -1 while the ring does not contain the item */
  position = -1

  constructor(readonly bytes: number) {}
}

/**
 * Bounds the memory of items that are found through maps outside of the ring. Evicts by the CLOCK (second chance) algorithm: a hand
 * moves around the ring and evicts the items that were not used since the hand last passed. A hit only sets a bit.
 */
export class ClockRing<Item extends ClockRingItem> {
  private ring: (Item | undefined)[] = []
  /** Unused positions of the ring */
  private free: number[] = []
  private hand = 0
  private totalBytes = 0

  constructor(private readonly options: ClockRingOptions<Item>) {}

  get bytes(): number {
    return this.totalBytes
  }

  /**
   * Decides whether to add a new item of this size that may also be left out. A full ring admits only one in eight, at random: if the
   * working set is larger than the ring, adding each item would cost more than the few hits before its eviction save. Items that are
   * requested often are admitted eventually.
   */
  admits(bytes: number): boolean {
    return this.totalBytes + bytes <= this.options.maxBytes || this.options.random() < admissionProbability
  }

  /** Adds the item, and evicts others to make room. Returns false, and does nothing, if the item is larger than the ring. */
  add(item: Item): boolean {
    if (item.bytes > this.options.maxBytes) return false
    this.makeRoom(item.bytes)
    item.position = this.free.pop() ?? this.ring.length
    this.ring[item.position] = item
    this.totalBytes += item.bytes
    return true
  }

  /** Does nothing if the ring does not contain the item. */
  delete(item: Item): void {
    if (item.position === -1) return
    this.ring[item.position] = undefined
    this.free.push(item.position)
    this.totalBytes -= item.bytes
    item.position = -1
  }

  clear(): void {
    for (const item of this.ring) if (item) item.position = -1
    this.ring = []
    this.free = []
    this.hand = 0
    this.totalBytes = 0
  }

  private makeRoom(bytes: number): void {
    while (this.totalBytes + bytes > this.options.maxBytes) {
      const item = this.ring[this.hand]
      if (item?.referenced) item.referenced = false
      else if (item) this.evict(item)
      this.hand = (this.hand + 1) % this.ring.length
    }
  }

  private evict(item: Item): void {
    this.delete(item)
    this.options.onEvict(item)
  }
}

const admissionProbability = 1 / 8
