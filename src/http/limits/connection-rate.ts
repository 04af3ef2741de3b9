import { LRUCache } from 'lru-cache'
import { TokenBucket, type TokenBucketLimits } from '../../platform/token-bucket.js'

export interface ConnectionRateOptions extends TokenBucketLimits {
  /** A monotonic clock, in milliseconds */
  now: () => number
}

/**
 * Limits the rate at which a network opens connections. Node accepts one connection per iteration of the event loop, so each new
 * connection delays all other new connections.
 */
export class ConnectionRate {
  // Not `max`, which allocates room for all networks at once and takes 5 ms of each start
  private readonly buckets = new LRUCache<string, TokenBucket>({ maxSize: maxNetworks, sizeCalculation: () => 1 })

  constructor(private readonly options: ConnectionRateOptions) {}

  /** Takes a token for a new connection. Returns false if the network has no token left. */
  take(network: string): boolean {
    const bucket = this.bucketOf(network)
    if (bucket.isEmpty) return false
    bucket.take()
    return true
  }

  private bucketOf(network: string): TokenBucket {
    const existing = this.buckets.get(network)
    if (existing) return existing
    const bucket = new TokenBucket(this.options, this.options.now)
    this.buckets.set(network, bucket)
    return bucket
  }
}

/** A network that is evicted from the LRU starts with a full bucket again. */
const maxNetworks = 50_000
