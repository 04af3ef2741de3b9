import type { EntryHeader } from './entry.js'

/** When the soft TTL of an entry ends, and how long the fetch of its value took */
export type Times = Pick<EntryHeader, 'softUntilMs' | 'fetchMs'>

/**
 * Decides by XFetch (probabilistic early expiration): the closer the end of the soft TTL, the more likely it is that a reader
 * refills the entry. One of many readers thus refills the entry before it becomes stale.
 */
export function isEarlyRefreshDue({ softUntilMs, fetchMs }: Times, now: number, random: () => number): boolean {
  const leftMs = softUntilMs - now
  // Farther from the end of the soft TTL, the second condition is practically never met. The first condition therefore skips the
  // logarithm, which would slow down every hit.
  return leftMs <= maxEarliness * fetchMs && -fetchMs * Math.log(1 - random()) >= leftMs
}

/**
 * Returns the time in milliseconds until which an entry is fresh and no early refresh is due, whatever `random` returns. Negative
 * entries are not refreshed early.
 */
export function earlyRefreshFrom({ softUntilMs, fetchMs }: Times, isNegative: boolean): number {
  return isNegative ? softUntilMs : softUntilMs - maxEarliness * fetchMs
}

/** In durations of the fetch. Earlier than that, the probability of a refill would be below e^-20, or 2 in a billion. */
const maxEarliness = 20
