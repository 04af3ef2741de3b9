import type { SubscriptionMetrics } from '../../platform/metrics/subscription-metrics.js'
import { AddressLimit } from '../limits/address-limit.js'
import type { Refusal } from '../request-error.js'

type Admission = { state: 'admitted'; release: () => void } | ({ state: 'refused' } & Refusal)

/**
 * Limits how many connections subscribers may open and how much memory their subscriptions may take, in total and per address.
 * The limit on connections and the limit on subscriptions have the same values.
 */
export class LiveConnections {
  private readonly connections: AddressLimit
  private readonly subscriptions: AddressLimit

  constructor(
    private readonly limits: { max: number; maxPerAddress: number },
    private readonly metrics: Pick<SubscriptionMetrics, 'connections'>,
  ) {
    this.connections = new AddressLimit(limits)
    this.subscriptions = new AddressLimit(limits)
  }

  admit(address: string): Admission {
    const taken = this.connections.take(address, 1)
    if (taken.state === 'full') return full
    if (taken.state === 'address full') {
      const message = `Your address has reached the limit of ${this.limits.maxPerAddress} open subscription connections`
      return { state: 'refused', status: 429, code: 'TOO_MANY_CONNECTIONS', message }
    }
    this.metrics.connections += 1
    const release = () => {
      this.metrics.connections -= 1
      taken.release()
    }
    return { state: 'admitted', release }
  }

  /** Counts a subscription once for every 8 KiB of its memory, so that the limits also bound the memory of all subscriptions. */
  admitSubscription(address: string, bytes: number): Admission {
    const taken = this.subscriptions.take(address, Math.ceil(bytes / bytesPerSubscription))
    if (taken.state === 'full') return full
    if (taken.state === 'taken') return { state: 'admitted', release: taken.release }
    const { maxPerAddress } = this.limits
    const message = `Your address has reached the limit of ${maxPerAddress} open subscriptions (a large subscription counts several times)`
    return { state: 'refused', status: 429, code: 'TOO_MANY_SUBSCRIPTIONS', message }
  }
}

const full = {
  state: 'refused' as const,
  status: 503,
  code: 'OVERLOADED' as const,
  message: 'Too many subscribers are connected: try again later',
}
const bytesPerSubscription = 8_192
