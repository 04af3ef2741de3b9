import { AddressCounts } from './address-counts.js'

type Acquisition = { state: 'taken'; release: () => void } | { state: 'full' } | { state: 'address full' }

/** A semaphore with a total limit and a limit per address */
export class AddressLimit {
  private total = 0
  private readonly byAddress = new AddressCounts()

  constructor(private readonly limits: { max: number; maxPerAddress: number }) {}

  /** Takes `count` permits, if both limits allow it. `release` must be called exactly once. */
  take(address: string, count: number): Acquisition {
    const { max, maxPerAddress } = this.limits
    if (this.byAddress.of(address) + count > maxPerAddress) return { state: 'address full' }
    if (this.total + count > max) return { state: 'full' }
    this.add(address, count)
    return { state: 'taken', release: () => this.add(address, -count) }
  }

  private add(address: string, count: number): void {
    this.total += count
    this.byAddress.add(address, count)
  }
}
