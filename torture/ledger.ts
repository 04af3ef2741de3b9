/** What a reader saw of a row: the version in it, or that there is no such row. */
export type Seen = number | 'gone'

/** One write of a row. Writes of a row are made one after another, so a greater version is newer knowledge. */
export interface Write {
  readonly cell: string
  readonly version: number
  /** The write deletes the row. */
  readonly deletes: boolean
  /** Undefined while nobody knows whether it was committed */
  acknowledgedAt?: number
  /** How it was acknowledged */
  by?: Acknowledger
}

/** By the answer to a mutation, given before or after it may have stopped waiting for others; or by the end of a transaction */
export type Acknowledger = 'prompt mutation' | 'slow mutation' | 'statement'

/** Who wrote what and when it was acknowledged, so that a reader's answer can be judged. Times in ms on one clock. */
export class Ledger {
  private readonly cells = new Map<string, Write[]>()
  private readonly turns = new Map<string, Promise<unknown>>()

  /** A row that exists from the beginning, as version 0. */
  open(cell: string): void {
    this.cells.set(cell, [{ cell, version: 0, deletes: false, acknowledgedAt: Number.NEGATIVE_INFINITY }])
  }

  knows(cell: string): boolean {
    return this.cells.has(cell)
  }

  begin(cell: string, deletes = false): Write {
    const writes = this.writesOf(cell)
    const write = { cell, version: writes.length, deletes }
    writes.push(write)
    return write
  }

  acknowledge(writes: readonly Write[], at: number, by: Acknowledger): void {
    for (const write of writes) Object.assign(write, { acknowledgedAt: at, by })
  }

  /**
   * How long before the read began (ms) what it saw had been replaced by an acknowledged write, of those acknowledged in one way where `by`
   * is given; null where it saw the newest.
   */
  age(cell: string, seen: Seen, readBeganAt: number, by?: Acknowledger): number | null {
    const writes = this.writesOf(cell)
    const version = seen === 'gone' ? writes.findLastIndex(({ deletes }) => deletes) : seen
    const newer = writes.slice(version + 1).filter((write) => by === undefined || write.by === by)
    const replacedAt = Math.min(...newer.map(({ acknowledgedAt }) => acknowledgedAt ?? Number.POSITIVE_INFINITY))
    return replacedAt <= readBeganAt ? readBeganAt - replacedAt : null
  }

  /** Runs `work` when all that was begun before on these rows has ended. */
  async inTurn<T>(cells: readonly string[], work: () => Promise<T>): Promise<T> {
    const before = cells.map((cell) => this.turns.get(cell))
    const done = Promise.all(before).then(work)
    const turn = done.catch(() => undefined)
    for (const cell of cells) this.turns.set(cell, turn)
    return done
  }

  private writesOf(cell: string): Write[] {
    const writes = this.cells.get(cell)
    if (!writes) throw new Error(`Nobody keeps a ledger of ${cell}`)
    return writes
  }
}
