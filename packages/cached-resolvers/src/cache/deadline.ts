export interface Deadline {
  cancel(): void
}

/**
 * Calls back after `ms` milliseconds, unless it is cancelled before. A timer that fires late means that this process was stalled, with
 * answers unread in its sockets: the deadline is then extended by as long as the timer was late. Before it calls back, the event loop
 * always reads once more. A server that is really gone is noticed within `ms` plus the stall.
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
    if (lateMs < punctualMs) expireAfterRead()
    else timer = setTimeout(expireAfterRead, lateMs)
  }, ms)
  return {
    cancel() {
      clearTimeout(timer)
      clearImmediate(immediate)
    },
  }
}

/** The result of the work. Rejects with `createError()` where there is none within `ms` milliseconds; the work itself goes on. */
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

/** Timers of an event loop that turns are at most this late. */
const punctualMs = 10
