import type { Freshness } from 'cached-resolvers'

/** The soft TTL limits staleness if an invalidation is missed. During the grace, a stale value is served when its refill fails. */
export function freshForMinutes(minutes: number): Freshness {
  return { softMs: minutes * 60_000, graceMs: 10 * 60_000, negativeMs: 60_000 }
}
