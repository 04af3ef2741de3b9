import type { EntryHeader } from './entry.js'

type Times = Pick<EntryHeader, 'softUntilMs' | 'fetchMs'>

/** XFetch: so near to being stale that, with growing probability, one of many readers refills it before anybody sees it stale. */
export function isEarly({ softUntilMs, fetchMs }: Times, now: number, random: () => number): boolean {
  const leftMs = softUntilMs - now
  // Beyond that the logarithm does not reach; it would be the price of every hit.
  return leftMs <= maxEarliness * fetchMs && -fetchMs * Math.log(1 - random()) >= leftMs
}

/** Before that it is neither stale nor early, whatever the dice say. */
export function surelyFreshUntil({ softUntilMs, fetchMs }: Times): number {
  return softUntilMs - maxEarliness * fetchMs
}

const maxEarliness = 40
