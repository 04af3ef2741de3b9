import type { SubscriptionFigures } from '../metrics/subscription-figures.js'
import type { Refusal } from './request-error.js'

type Admission = { state: 'admitted'; release: () => void } | ({ state: 'refused' } & Refusal)

/** Counts the connections that are held open for subscribers, and admits so many. */
export class LiveConnections {
  private readonly byAddress = new Map<string, number>()

  constructor(
    private readonly limits: { max: number; maxPerAddress: number },
    private readonly figures: Pick<SubscriptionFigures, 'connections'>,
  ) {}

  admit(address: string): Admission {
    const { max, maxPerAddress } = this.limits
    if (this.figures.connections >= max)
      return { state: 'refused', status: 503, code: 'OVERLOADED', message: 'Too many subscribers are connected, try again later' }
    const ofAddress = this.byAddress.get(address) ?? 0
    if (ofAddress >= maxPerAddress) {
      const message = `${maxPerAddress} connections for subscriptions are open from your address, and no more are allowed`
      return { state: 'refused', status: 429, code: 'TOO_MANY_CONNECTIONS', message }
    }
    this.figures.connections += 1
    this.byAddress.set(address, ofAddress + 1)
    return { state: 'admitted', release: once(() => this.release(address)) }
  }

  private release(address: string): void {
    this.figures.connections -= 1
    const left = (this.byAddress.get(address) ?? 1) - 1
    if (left === 0) this.byAddress.delete(address)
    else this.byAddress.set(address, left)
  }
}

function once(work: () => void): () => void {
  let isDone = false
  return () => {
    if (!isDone) work()
    isDone = true
  }
}
