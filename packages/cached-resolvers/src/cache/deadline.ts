export interface Deadline {
  cancel(): void
}

/**
 * Calls back after `ms` milliseconds unless cancelled. A timer that fires late means that this process was stalled and answers
 * may be unread in its sockets: the deadline is then extended by the delay of the timer. The event loop always reads the sockets
 * once more before the callback. A server that is really gone is detected within `ms` plus the stall.
 */
export function startDeadline(ms: number, onExpired: () => void): Deadline {
  const dueAt = performance.now() + ms
  let immediate: NodeJS.Immediate | undefined
  // Timers run before sockets are read, immediates after.
  const expireAfterRead = () => {
    immediate = setImmediate(onExpired)
  }
  let timer = setTimeout(() => {
    const lateMs = performance.now() - dueAt
    if (lateMs < timerToleranceMs) expireAfterRead()
    else timer = setTimeout(expireAfterRead, lateMs)
  }, ms)
  return {
    cancel() {
      clearTimeout(timer)
      clearImmediate(immediate)
    },
  }
}

/**
 * Resolves with the result of `work`. Rejects with `createError()` if there is none within `ms` milliseconds; the work itself
 * continues.
 */
export function withDeadline<T>(work: PromiseLike<T>, ms: number, createError: () => Error): Promise<T> {
  return new Promise((resolve, reject) => {
    const deadline = startDeadline(ms, () => reject(createError()))
    work.then(
      (result) => {
        deadline.cancel()
        resolve(result)
      },
      (error) => {
        deadline.cancel()
        reject(error)
      },
    )
  })
}

/** A timer that is later than this shows that the event loop was stalled. */
const timerToleranceMs = 10
