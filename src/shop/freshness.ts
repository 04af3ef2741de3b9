import type { Freshness } from 'cached-resolvers'

/** The soft TTL is what people may rely on where nothing tells of a change; the grace is for times when a fetch fails. */
export function freshFor(minutes: number): Freshness {
  return { softMs: minutes * 60_000, graceMs: 10 * 60_000, negativeMs: 60_000 }
}
