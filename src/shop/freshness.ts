import type { Freshness } from 'cached-resolvers'

/**
 * The soft TTL limits staleness if an invalidation is missed. For the grace period after the soft TTL, the cache serves the stale
 * value if a refill fails.
 */
export function freshForMinutes(minutes: number): Freshness {
  return { softMs: minutes * 60_000, graceMs: 10 * 60_000, negativeMs: 60_000 }
}
