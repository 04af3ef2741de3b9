/** What a reader saw of a row: its version, or that the row does not exist */
export type Seen = number | 'gone'

/** One write of a row. The writes of a row are serialized, so a greater version is newer. */
export interface Write {
  readonly cell: string
  readonly version: number
  /** The write deletes the row. */
  readonly deletes: boolean
  /** Undefined while it is unknown whether the write was committed */
  acknowledgedAt?: number
  /** How it was acknowledged */
  by?: Acknowledger
}

/**
 * The answer to a mutation, which came before (prompt) or after (slow) the maximum wait for other stores; or the commit of a
 * transaction
 */
export type Acknowledger = 'prompt mutation' | 'slow mutation' | 'statement'

/** Records all writes and when they were acknowledged, to compute the staleness of reads. All times in ms of the same clock. */
export class Ledger {
  private readonly cells = new Map<string, Write[]>()
  private readonly lastWork = new Map<string, Promise<unknown>>()

  /** Registers a row that exists from the beginning, as version 0. */
  open(cell: string): void {
    this.cells.set(cell, [{ cell, version: 0, deletes: false, acknowledgedAt: Number.NEGATIVE_INFINITY }])
  }

  has(cell: string): boolean {
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
   * Returns how long before the start of the read (ms) the version that it saw had been replaced by an acknowledged write; null
   * if it saw the newest. With `by`, only writes acknowledged in that way count.
   */
  age(cell: string, seen: Seen, readStartedAt: number, by?: Acknowledger): number | null {
    const writes = this.writesOf(cell)
    const version = seen === 'gone' ? writes.findLastIndex(({ deletes }) => deletes) : seen
    const newer = writes.slice(version + 1).filter((write) => by === undefined || write.by === by)
    const replacedAt = Math.min(...newer.map(({ acknowledgedAt }) => acknowledgedAt ?? Number.POSITIVE_INFINITY))
    return replacedAt <= readStartedAt ? readStartedAt - replacedAt : null
  }

  /** Runs `work` after all earlier work on these rows has ended. */
  async runExclusively<T>(cells: readonly string[], work: () => Promise<T>): Promise<T> {
    const before = cells.map((cell) => this.lastWork.get(cell))
    const done = Promise.all(before).then(work)
    const settled = done.catch(() => undefined)
    for (const cell of cells) this.lastWork.set(cell, settled)
    return done
  }

  private writesOf(cell: string): Write[] {
    const writes = this.cells.get(cell)
    if (!writes) throw new Error(`${cell} is not in the ledger: call open() first`)
    return writes
  }
}
