export interface ClockMapOptions<Item> {
  maxBytes: number
  /** 0 to 1 */
  random: () => number
  /** Told of all that goes, for whatever reason but `clear` */
  onDelete?: (item: Item) => void
}

/** What can be kept. Items are kept themselves, and not in an object of the map's: a hit should have few objects to go through. */
export class Kept {
  /** Since the hand passed it */
  used = false
  /** Where it stands in the ring */
  position = -1

  constructor(
    readonly key: string,
    readonly bytes: number,
  ) {}
}

/**
 * A map of bounded size. To make room, a hand goes round (CLOCK, or second chance) and takes whatever was not used since it passed last:
 * a hit costs no more than a look. Who finds an item in another way says that it is `used`.
 */
export class ClockMap<Item extends Kept> {
  private readonly kept = new Map<string, Item>()
  private ring: (Item | undefined)[] = []
  /** Positions in the ring where nothing stands */
  private free: number[] = []
  private hand = 0
  private size = 0

  constructor(private readonly options: ClockMapOptions<Item>) {}

  get bytes(): number {
    return this.size
  }

  get(key: string): Item | undefined {
    const item = this.kept.get(key)
    if (item) item.used = true
    return item
  }

  /**
   * Whether to set what there is no need to set. Where there is no room, most newcomers are turned away: if more is asked for again and
   * again than there is room for, letting everything in for a short time would cost more than it saves. What is often asked for gets in.
   */
  admits(key: string, bytes: number): boolean {
    return this.size + bytes <= this.options.maxBytes || this.kept.has(key) || this.options.random() < admittedShare
  }

  /** Answers whether it is kept; not where it is too large. An item is set once. */
  set(item: Item): boolean {
    this.delete(item.key)
    if (item.bytes > this.options.maxBytes) return false
    this.makeRoom(item.bytes)
    item.position = this.free.pop() ?? this.ring.length
    this.ring[item.position] = item
    this.kept.set(item.key, item)
    this.size += item.bytes
    return true
  }

  delete(key: string): void {
    const item = this.kept.get(key)
    if (!item) return
    this.kept.delete(key)
    this.ring[item.position] = undefined
    this.free.push(item.position)
    this.size -= item.bytes
    this.options.onDelete?.(item)
  }

  clear(): void {
    this.kept.clear()
    this.ring = []
    this.free = []
    this.hand = 0
    this.size = 0
  }

  private makeRoom(bytes: number): void {
    while (this.size + bytes > this.options.maxBytes) {
      const item = this.ring[this.hand]
      if (item?.used) item.used = false
      else if (item) this.delete(item.key)
      this.hand = (this.hand + 1) % this.ring.length
    }
  }
}

const admittedShare = 1 / 8
