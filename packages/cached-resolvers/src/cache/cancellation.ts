/** Lets a read detect that its caller no longer waits for the result. */
export interface Cancellation {
  /** Why the caller cancelled; undefined while the caller still waits */
  readonly reason: Error | undefined
  /** Calls back when the caller cancels. Returns a function that removes the callback. */
  onCancel(callback: (reason: Error) => void): () => void
}

/** Settles like `value`. If the caller cancels before `value` settles, rejects with the reason and calls `onCancel`. */
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

/** Returns a cancellation that happens when the signal is aborted, or never if no signal is given. */
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
