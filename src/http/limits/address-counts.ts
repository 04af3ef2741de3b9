/** A count per address, which is a network as networkOf() returns it. Addresses with a count of 0 take no memory. */
export class AddressCounts {
  private readonly counts = new Map<string, number>()

  of(address: string): number {
    return this.counts.get(address) ?? 0
  }

  add(address: string, count: number): void {
    const sum = this.of(address) + count
    if (sum === 0) this.counts.delete(address)
    else this.counts.set(address, sum)
  }
}
