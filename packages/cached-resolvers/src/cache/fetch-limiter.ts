import { startDeadline, withDeadline } from './deadline.js'

/**
 * The fetch was not started, because too many fetches are running and waiting or because no slot became free in time. The caller
 * may retry after a moment.
 */
export class OverloadedError extends Error {
  override readonly name = 'OverloadedError'
}

/** The fetch did not finish in time. Its statements may still be running. */
export class FetchTimeoutError extends Error {
  override readonly name = 'FetchTimeoutError'
}

export interface FetchLimiterOptions {
  /** Maximum number of concurrent fetches */
  maxRunning: number
  /** A fetch that takes longer rejects with FetchTimeoutError, and its slot goes to the next waiting fetch. */
  maxRunMs: number
  /** Maximum number of fetches that wait for a slot; further fetches reject with OverloadedError. */
  maxWaiting: number
  /** A fetch that waits longer for a slot rejects with OverloadedError. */
  maxWaitMs: number
}

export interface FetchLimiterLoad {
  running: number
  waiting: number
}

/** Limits concurrent fetches, so that a cold or unavailable cache does not overload the source of truth. */
export class FetchLimiter {
  private running = 0
  private readonly queue: Waiter[] = []

  constructor(private readonly options: FetchLimiterOptions) {}

  get load(): FetchLimiterLoad {
    return { running: this.running, waiting: this.queue.length }
  }

  /**
   * Calls `work` when a slot is free. Rejects with OverloadedError, without calling `work`, if no slot becomes free in time, and
   * with FetchTimeoutError if the work takes too long. If the signal is aborted while the work waits, the work is not called.
   * Running work keeps its slot until it ends or times out, even if the signal is aborted.
   */
  async run<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    signal?.throwIfAborted()
    if (this.running >= this.options.maxRunning) await this.waitForSlot(signal)
    else this.running += 1
    try {
      signal?.throwIfAborted()
      const { maxRunMs } = this.options
      return await withDeadline(work(), maxRunMs, () => new FetchTimeoutError(`The fetch did not finish within ${maxRunMs} ms`))
    } finally {
      this.releaseSlot()
    }
  }

  /** Passes the slot to the fetch that has waited longest. If no fetch waits, frees the slot. */
  private releaseSlot(): void {
    const next = this.queue.shift()
    if (next) next.start()
    else this.running -= 1
  }

  private waitForSlot(signal: AbortSignal | undefined): Promise<void> {
    const { maxWaiting, maxWaitMs } = this.options
    if (this.queue.length >= maxWaiting) return Promise.reject(new OverloadedError('Too many reads are waiting for the database'))
    return new Promise((resolve, reject) => {
      const stopWaiting = () => {
        deadline.cancel()
        signal?.removeEventListener('abort', onAbort)
      }
      const rejectWaiter = (reason: unknown) => {
        stopWaiting()
        this.queue.splice(this.queue.indexOf(waiter), 1)
        reject(reason)
      }
      const waiter: Waiter = {
        start() {
          stopWaiting()
          resolve()
        },
      }
      const onAbort = () => rejectWaiter(signal?.reason)
      const deadline = startDeadline(maxWaitMs, () =>
        rejectWaiter(new OverloadedError('This read waited too long for the database')),
      )
      signal?.addEventListener('abort', onAbort)
      this.queue.push(waiter)
    })
  }
}

interface Waiter {
  start(): void
}
