export interface ClockMapOptions<V> {
  maxBytes: number
  /** 0 to 1 */
  random: () => number
  /** Told of all that goes, for whatever reason but `clear` */
  onDelete?: (value: V) => void
}

/** A key and what is kept under it */
export interface Kept<V> {
  readonly key: string
  readonly value: V
  readonly bytes: number
  /** Where it stands in the ring */
  readonly position: number
  /** Since the hand passed it */
  used: boolean
}

/**
 * A map of bounded size. To make room, a hand goes round (CLOCK, or second chance) and takes whatever was not used since it passed last:
 * a hit costs no more than a look.
 */
export class ClockMap<V> {
  private readonly kept = new Map<string, Kept<V>>()
  private ring: (Kept<V> | undefined)[] = []
  /** Positions in the ring where nothing stands */
  private free: number[] = []
  private hand = 0
  private size = 0

  constructor(private readonly options: ClockMapOptions<V>) {}

  get bytes(): number {
    return this.size
  }

  get(key: string): V | undefined {
    return use(this.kept.get(key))
  }

  /**
   * Whether to set what there is no need to set. Where there is no room, most newcomers are turned away: if more is asked for again and
   * again than there is room for, letting everything in for a short time would cost more than it saves. What is often asked for gets in.
   */
  admits(key: string, bytes: number): boolean {
    return this.size + bytes <= this.options.maxBytes || this.kept.has(key) || this.options.random() < admittedShare
  }

  /** Gives what `use` takes, for who finds it in another way; undefined where it is too large to be kept. */
  set(key: string, value: V, bytes: number): Kept<V> | undefined {
    this.delete(key)
    if (bytes > this.options.maxBytes) return undefined
    this.makeRoom(bytes)
    const position = this.free.pop() ?? this.ring.length
    const its = { key, value, bytes, position, used: false }
    this.ring[position] = its
    this.kept.set(key, its)
    this.size += bytes
    return its
  }

  delete(key: string): void {
    const its = this.kept.get(key)
    if (!its) return
    this.kept.delete(key)
    this.ring[its.position] = undefined
    this.free.push(its.position)
    this.size -= its.bytes
    this.options.onDelete?.(its.value)
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
      const its = this.ring[this.hand]
      if (its?.used) its.used = false
      else if (its) this.delete(its.key)
      this.hand = (this.hand + 1) % this.ring.length
    }
  }
}

export function use<V>(its: Kept<V> | undefined): V | undefined {
  if (!its) return undefined
  its.used = true
  return its.value
}

const admittedShare = 1 / 8
