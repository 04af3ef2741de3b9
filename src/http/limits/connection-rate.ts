import { LRUCache } from 'lru-cache'
import { TokenBucket, type TokenBucketLimits } from '../../platform/token-bucket.js'

export interface ConnectionRateOptions extends TokenBucketLimits {
  /** Monotonic, in milliseconds */
  now: () => number
}

/** How many connections a network may open: each takes a turn of the event loop, for which all others that connect have to wait. */
export class ConnectionRate {
  private readonly buckets = new LRUCache<string, TokenBucket>({ max: maxNetworks })

  constructor(private readonly options: ConnectionRateOptions) {}

  /** Whether it may open another. */
  take(network: string): boolean {
    const bucket = this.bucketOf(network)
    if (bucket.isEmpty) return false
    bucket.take()
    return true
  }

  private bucketOf(network: string): TokenBucket {
    const known = this.buckets.get(network)
    if (known) return known
    const bucket = new TokenBucket(this.options, this.options.now)
    this.buckets.set(network, bucket)
    return bucket
  }
}

/** Others have as much as they may have at once. */
const maxNetworks = 50_000
