/**
 * How old an answer may be, counted from the acknowledgement of the write that it does not show to the beginning of the read.
 *
 * In normal running: CACHE_NEAR_MAX_STALENESS_MS, the longest time for which the near store answers without having been told.
 */
export const boundMs = 500
/**
 * While something is broken and for `afterFaultMs`: a mutation whose process died after its commit is due to the relays after 300 ms,
 * which look every 250 ms; a server that is silent costs a command's deadline (250 ms) before it is doubted.
 */
const faultBoundMs = 2_000
export const afterFaultMs = 2_000

/**
 * So long a mutation waits, at most, for the processes that do not share its store, and where its own store is away. If it is answered
 * sooner, every process knows, whatever is broken.
 */
export const mutationWaitMs = 500

export function boundFor(isFaulty: boolean): number {
  return isFaulty ? faultBoundMs : boundMs
}
