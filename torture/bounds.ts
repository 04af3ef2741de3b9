/**
 * Maximum staleness of an answer: from the acknowledgement of the write that it does not show to the start of the read.
 *
 * In normal operation: CACHE_NEAR_MAX_STALENESS_MS, the longest time for which the near store answers without receiving
 * invalidation messages.
 */
export const boundMs = 500
/**
 * During a fault and for `afterFaultMs` after it: if the process of a mutation dies after the commit, its outbox rows become due
 * after 300 ms, and the relays poll every 250 ms; a Redis that does not reply costs a command timeout (250 ms) before it is
 * distrusted.
 */
const faultBoundMs = 2_000
export const afterFaultMs = 2_000

/**
 * How long a mutation waits at most for processes that use other stores, and for its own store if that is unreachable. If it is
 * answered sooner, every process has applied the invalidation, even during faults.
 */
export const mutationWaitMs = 500

export function boundFor(isFaulty: boolean): number {
  return isFaulty ? faultBoundMs : boundMs
}
