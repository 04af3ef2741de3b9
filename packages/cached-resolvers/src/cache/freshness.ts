import type { EntryHeader } from './entry.js'

type Times = Pick<EntryHeader, 'softUntilMs' | 'fetchMs'>

/**
 * XFetch (probabilistic early expiration): the nearer the end of the soft TTL, the more likely a reader refills the entry, so
 * that one of many readers does so before it becomes stale.
 */
export function isEarlyRefreshDue({ softUntilMs, fetchMs }: Times, now: number, random: () => number): boolean {
  const leftMs = softUntilMs - now
  // The logarithm practically never reaches further; computing it would make every hit slower.
  return leftMs <= maxEarliness * fetchMs && -fetchMs * Math.log(1 - random()) >= leftMs
}

/** Until this time, in milliseconds, no early refresh is due, whatever `random` returns. */
export function earlyRefreshFrom({ softUntilMs, fetchMs }: Times): number {
  return softUntilMs - maxEarliness * fetchMs
}

const maxEarliness = 40
