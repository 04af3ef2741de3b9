import { startDeadline, withDeadline } from './deadline.js'

/** Too many fetches are under way and waiting: this one was not begun. The caller may try again in a moment. */
export class OverloadedError extends Error {
  override readonly name = 'OverloadedError'
}

/** The fetch did not end in time. What it began may still be under way. */
export class FetchTimeoutError extends Error {
  override readonly name = 'FetchTimeoutError'
}

export interface GateOptions {
  /** Fetches under way at once */
  maxRunning: number
  /** One without an answer by then is given up, and its room goes to another. */
  maxRunMs: number
  /** Fetches waiting for one of those to end */
  maxWaiting: number
  maxWaitMs: number
}

export interface GateLoad {
  running: number
  waiting: number
}

/** Keeps a cache that is cold or away from turning into an overload of the source of truth. */
export class Gate {
  private running = 0
  private readonly waiting: Waiter[] = []

  constructor(private readonly options: GateOptions) {}

  get load(): GateLoad {
    return { running: this.running, waiting: this.waiting.length }
  }

  /**
   * Rejects with OverloadedError, without calling `work`, when there is no room for it in time; with FetchTimeoutError when it takes too
   * long. Work that is aborted before there is room is not called; work under way keeps its room until it ends.
   */
  async run<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    signal?.throwIfAborted()
    if (this.running >= this.options.maxRunning) await this.waitForRoom(signal)
    else this.running += 1
    try {
      signal?.throwIfAborted()
      const { maxRunMs } = this.options
      return await withDeadline(work(), maxRunMs, () => new FetchTimeoutError(`No answer within ${maxRunMs} ms`))
    } finally {
      this.leave()
    }
  }

  /** The room of one that ends goes to the one that waits longest. */
  private leave(): void {
    const next = this.waiting.shift()
    if (next) next.enter()
    else this.running -= 1
  }

  private waitForRoom(signal: AbortSignal | undefined): Promise<void> {
    const { maxWaiting, maxWaitMs } = this.options
    if (this.waiting.length >= maxWaiting)
      return Promise.reject(new OverloadedError('Too many reads are waiting for the database'))
    return new Promise((resolve, reject) => {
      const stopWaiting = () => {
        deadline.cancel()
        signal?.removeEventListener('abort', giveUp)
      }
      const leave = (reason: unknown) => {
        stopWaiting()
        this.waiting.splice(this.waiting.indexOf(waiter), 1)
        reject(reason)
      }
      const waiter: Waiter = {
        enter() {
          stopWaiting()
          resolve()
        },
      }
      const giveUp = () => leave(signal?.reason)
      const deadline = startDeadline(maxWaitMs, () => leave(new OverloadedError('The database did not have time for this read')))
      signal?.addEventListener('abort', giveUp)
      this.waiting.push(waiter)
    })
  }
}

interface Waiter {
  enter(): void
}
