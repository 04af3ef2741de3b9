/** Whether the caller of a read still waits for it. */
export interface Cancellation {
  /** Why the caller cancelled; undefined while it still waits */
  readonly reason: Error | undefined
  /** Calls back when the caller cancels. Returns a function that removes the callback. */
  onCancel(callback: (reason: Error) => void): () => void
}

/** Resolves with the value. If the caller cancels before that, rejects with the reason and calls `onCancel`. */
export function waitUnlessCancelled<V>(cancellation: Cancellation, value: Promise<V>, onCancel?: () => void): Promise<V> {
  return new Promise((resolve, reject) => {
    const removeCallback = cancellation.onCancel((reason) => {
      reject(reason)
      onCancel?.()
    })
    value.then(
      (result) => {
        removeCallback()
        resolve(result)
      },
      (error) => {
        removeCallback()
        reject(error)
      },
    )
  })
}

/** A cancellation that follows the signal, such as that of an HTTP request; without a signal it never happens. */
export function cancellationOf(signal?: AbortSignal): Cancellation {
  return {
    get reason() {
      return signal?.aborted ? errorOf(signal) : undefined
    },
    onCancel(callback) {
      if (!signal) return () => {}
      let isRemoved = false
      const cancel = () => {
        if (!isRemoved) callback(errorOf(signal))
      }
      if (signal.aborted) queueMicrotask(cancel)
      else signal.addEventListener('abort', cancel, { once: true })
      return () => {
        isRemoved = true
        signal.removeEventListener('abort', cancel)
      }
    },
  }
}

function errorOf({ reason }: AbortSignal): Error {
  return reason instanceof Error ? reason : new Error(String(reason))
}
