/** A key and what is kept under it */
export interface Kept<V> {
  readonly key: string
  readonly value: V
  readonly bytes: number
  /** Since it was last passed over by eviction */
  used: boolean
}

/**
 * A map of bounded size. When it is full, the oldest goes that was not used since it was last spared (CLOCK, or second chance):
 * a hit costs no more than a look.
 */
export class ClockMap<V> {
  /** The oldest first */
  private readonly kept = new Map<string, Kept<V>>()
  private size = 0

  constructor(
    private readonly maxBytes: number,
    /** Told of all that goes, for whatever reason but `clear` */
    private readonly onDelete: (value: V) => void = () => {},
  ) {}

  get bytes(): number {
    return this.size
  }

  get(key: string): V | undefined {
    return use(this.kept.get(key))
  }

  /** Gives what `use` takes, for who finds it in another way; undefined where it is too large to be kept. */
  set(key: string, value: V, bytes: number): Kept<V> | undefined {
    this.delete(key)
    if (bytes > this.maxBytes) return undefined
    this.makeRoom(bytes)
    const its = { key, value, bytes, used: false }
    this.kept.set(key, its)
    this.size += bytes
    return its
  }

  delete(key: string): void {
    const its = this.kept.get(key)
    if (!its) return
    this.kept.delete(key)
    this.size -= its.bytes
    this.onDelete(its.value)
  }

  clear(): void {
    this.kept.clear()
    this.size = 0
  }

  private makeRoom(bytes: number): void {
    for (const its of this.kept.values()) {
      if (this.size + bytes <= this.maxBytes) return
      if (its.used) this.spare(its)
      else this.delete(its.key)
    }
  }

  /** It becomes the youngest. */
  private spare(its: Kept<V>): void {
    its.used = false
    this.kept.delete(its.key)
    this.kept.set(its.key, its)
  }
}

export function use<V>(its: Kept<V> | undefined): V | undefined {
  if (!its) return undefined
  its.used = true
  return its.value
}
