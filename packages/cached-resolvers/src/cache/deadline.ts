export interface Deadline {
  cancel(): void
}

/**
 * Calls back after `ms` milliseconds unless cancelled. A timer that fires late shows that this process was stalled, so its
 * sockets may contain unread answers. The deadline is then extended by the delay of the timer. In any case, the event loop reads
 * the sockets once more before the callback. A server that is really gone is detected after `ms` milliseconds plus at most twice
 * the stall.
 */
export function startDeadline(ms: number, onExpired: () => void): Deadline {
  const dueAt = performance.now() + ms
  let immediate: NodeJS.Immediate | undefined
  // In an iteration of the event loop, timers run first, then the sockets are read, and then immediates run.
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
 * Settles like `work`. Rejects with `createError()` if `work` does not settle within `ms` milliseconds; the work itself is not
 * stopped.
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
