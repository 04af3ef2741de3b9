import { AddressCounts } from './address-counts.js'

type Taking = { state: 'taken'; release: () => void } | { state: 'full' } | { state: 'address full' }

/** Places that clients take and give back: so many in all, and so many of them for one address. */
export class AddressLimit {
  private taken = 0
  private readonly byAddress = new AddressCounts()

  constructor(private readonly limits: { max: number; maxPerAddress: number }) {}

  /** `release` is to be called once. */
  take(address: string, places: number): Taking {
    const { max, maxPerAddress } = this.limits
    if (this.byAddress.of(address) + places > maxPerAddress) return { state: 'address full' }
    if (this.taken + places > max) return { state: 'full' }
    this.add(address, places)
    return { state: 'taken', release: () => this.add(address, -places) }
  }

  private add(address: string, places: number): void {
    this.taken += places
    this.byAddress.add(address, places)
  }
}
