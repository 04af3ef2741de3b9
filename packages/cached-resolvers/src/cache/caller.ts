/** Somebody who waits for values, and may give up before they are there. */
export interface Caller {
  /** Why it waits no longer; undefined while it does */
  readonly gaveUp: Error | undefined
  /** Calls back when it gives up, unless the function that this gives has been called before. */
  whenGivingUp(callback: (reason: Error) => void): () => void
}

/** The value, for as long as the caller waits. When it gives up, this rejects with the reason, and `onGivingUp` is called. */
export function waitAs<V>(caller: Caller, value: Promise<V>, onGivingUp?: () => void): Promise<V> {
  return new Promise((resolve, reject) => {
    const stop = caller.whenGivingUp((reason) => {
      reject(reason)
      onGivingUp?.()
    })
    value.then(
      (its) => {
        stop()
        resolve(its)
      },
      (error) => {
        stop()
        reject(error)
      },
    )
  })
}

/** Somebody who gives up when the signal is aborted, as of a request that was cut off; without a signal, never. */
export function callerOf(signal?: AbortSignal): Caller {
  return {
    get gaveUp() {
      return signal?.aborted ? errorOf(signal) : undefined
    },
    whenGivingUp(callback) {
      if (!signal) return () => {}
      let isStopped = false
      const giveUp = () => {
        if (!isStopped) callback(errorOf(signal))
      }
      if (signal.aborted) queueMicrotask(giveUp)
      else signal.addEventListener('abort', giveUp, { once: true })
      return () => {
        isStopped = true
        signal.removeEventListener('abort', giveUp)
      }
    },
  }
}

function errorOf({ reason }: AbortSignal): Error {
  return reason instanceof Error ? reason : new Error(String(reason))
}
