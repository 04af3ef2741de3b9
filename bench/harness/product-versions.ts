/** How a product was written: by a mutation of the server under test, or by SQL past the server */
export type WrittenBy = 'mutation' | 'sql'

export interface StaleRead {
  /** `sql` if only writes by SQL are missing in the answer */
  missed: WrittenBy
  /** From the acknowledgement of the first missed write of this sort until the read was sent */
  ageMs: number
}

interface Write {
  by: WrittenBy
  acknowledgedAt: number
}

/**
 * The versions of all products, to decide exactly whether an answer is stale: every write sets the stock of a product to the next number, and
 * the writes of one product follow one another.
 */
export class ProductVersions {
  /** By product: the write of each version from 1; version 0 is what the database holds at the start. */
  private readonly writes: Write[][]
  private readonly unacknowledged = new Set<number>()

  /** Products are numbered from 1. */
  constructor(products: number) {
    this.writes = Array.from({ length: products + 1 }, () => [])
  }

  isBeingWritten(product: number): boolean {
    return this.unacknowledged.has(product)
  }

  /** Returns the version to write. */
  begin(product: number): number {
    if (this.unacknowledged.has(product)) throw new Error(`A write of product ${product} is not acknowledged yet`)
    this.unacknowledged.add(product)
    return this.writesOf(product).length + 1
  }

  acknowledge(product: number, by: WrittenBy, now: number): void {
    this.unacknowledged.delete(product)
    this.writesOf(product).push({ by, acknowledgedAt: now })
  }

  /** Judges a version in an answer to a read that was sent at `sentAt`; null unless a newer one had been acknowledged before. */
  judge(product: number, version: number, sentAt: number): StaleRead | null {
    const writes = this.writesOf(product)
    const first = writes[version]
    if (first === undefined || first.acknowledgedAt >= sentAt) return null
    let missed = first
    for (let index = version; index < writes.length; index += 1) {
      const write = writes[index] as Write
      if (write.acknowledgedAt >= sentAt) break
      missed = write
      if (write.by === 'mutation') break
    }
    return missed.by === 'mutation'
      ? { missed: 'mutation', ageMs: sentAt - missed.acknowledgedAt }
      : { missed: 'sql', ageMs: sentAt - first.acknowledgedAt }
  }

  private writesOf(product: number): Write[] {
    return this.writes[product] as Write[]
  }
}
