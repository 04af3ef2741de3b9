import { LRUCache } from 'lru-cache'

export interface ConnectionRateOptions {
  /** Of one network, at once */
  burst: number
  /** And so many more each second */
  perSecond: number
  /** Monotonic, in milliseconds */
  now: () => number
}

interface Bucket {
  left: number
  at: number
}

/** How many connections a network may open: each takes a turn of the event loop, for which all others that connect have to wait. */
export class ConnectionRate {
  private readonly buckets = new LRUCache<string, Bucket>({ max: maxNetworks })

  constructor(private readonly options: ConnectionRateOptions) {}

  /** Whether it may open another. */
  take(network: string): boolean {
    const bucket = this.refill(network)
    if (bucket.left < 1) return false
    bucket.left -= 1
    return true
  }

  private refill(network: string): Bucket {
    const { burst, perSecond, now } = this.options
    const at = now()
    const known = this.buckets.get(network)
    const bucket = { left: known ? Math.min(burst, known.left + (Math.max(0, at - known.at) / 1_000) * perSecond) : burst, at }
    this.buckets.set(network, bucket)
    return bucket
  }
}

/** Others have as much as they may have at once. */
const maxNetworks = 50_000
