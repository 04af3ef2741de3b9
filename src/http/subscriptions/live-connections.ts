import type { SubscriptionFigures } from '../../platform/metrics/subscription-figures.js'
import { AddressLimit } from '../limits/address-limit.js'
import type { Refusal } from '../request-error.js'

type Admission = { state: 'admitted'; release: () => void } | ({ state: 'refused' } & Refusal)

/** Counts the connections that are held open for subscribers, and the subscriptions on them by what they take, and admits so many of each. */
export class LiveConnections {
  private readonly connections: AddressLimit
  private readonly places: AddressLimit

  constructor(
    private readonly limits: { max: number; maxPerAddress: number },
    private readonly figures: Pick<SubscriptionFigures, 'connections'>,
  ) {
    this.connections = new AddressLimit(limits)
    this.places = new AddressLimit(limits)
  }

  admit(address: string): Admission {
    const taken = this.connections.take(address, 1)
    if (taken.state === 'full') return full
    if (taken.state === 'address full') {
      const message = `${this.limits.maxPerAddress} connections for subscriptions are open from your address, and no more are allowed`
      return { state: 'refused', status: 429, code: 'TOO_MANY_CONNECTIONS', message }
    }
    this.figures.connections += 1
    const release = () => {
      this.figures.connections -= 1
      taken.release()
    }
    return { state: 'admitted', release }
  }

  /** One subscription, which keeps that many bytes: a place, and more where it is large. So the limits bound what all of them keep. */
  admitSubscription(address: string, bytes: number): Admission {
    const taken = this.places.take(address, Math.ceil(bytes / bytesOfPlace))
    if (taken.state === 'full') return full
    if (taken.state === 'taken') return { state: 'admitted', release: taken.release }
    const { maxPerAddress } = this.limits
    const message = `Your address has as many subscriptions as it may: ${maxPerAddress}, or fewer where they are large`
    return { state: 'refused', status: 429, code: 'TOO_MANY_SUBSCRIPTIONS', message }
  }
}

const full = {
  state: 'refused' as const,
  status: 503,
  code: 'OVERLOADED' as const,
  message: 'Too many subscribers are connected, try again later',
}
const bytesOfPlace = 8_192
