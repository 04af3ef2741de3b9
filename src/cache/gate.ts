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

  /** Rejects with OverloadedError, without calling `work`, when there is no room for it in time; with FetchTimeoutError when it takes too long. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.running >= this.options.maxRunning) await this.waitForRoom()
    else this.running += 1
    try {
      return await this.inTime(work())
    } finally {
      this.leave()
    }
  }

  private async inTime<T>(work: Promise<T>): Promise<T> {
    const { maxRunMs } = this.options
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new FetchTimeoutError(`No answer within ${maxRunMs} ms`)), maxRunMs)
    })
    try {
      return await Promise.race([work, late])
    } finally {
      clearTimeout(timer)
    }
  }

  /** The room of one that ends goes to the one that waits longest. */
  private leave(): void {
    const next = this.waiting.shift()
    if (next) next.enter()
    else this.running -= 1
  }

  private waitForRoom(): Promise<void> {
    const { maxWaiting, maxWaitMs } = this.options
    if (this.waiting.length >= maxWaiting)
      return Promise.reject(new OverloadedError('Too many reads are waiting for the database'))
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.waiting.splice(this.waiting.indexOf(waiter), 1)
        reject(new OverloadedError('The database did not have time for this read'))
      }, maxWaitMs)
      const waiter: Waiter = {
        enter() {
          clearTimeout(timer)
          resolve()
        },
      }
      this.waiting.push(waiter)
    })
  }
}

interface Waiter {
  enter(): void
}
