import { type Cancellation, waitUnlessCancelled } from './cancellation.js'

type FetchResult<Id, V> = ReadonlyMap<Id, V>

/** One fetch that any number of callers share. The fetch is aborted only when all of its callers have cancelled. */
export class SharedFetch<Id, V> {
  private readonly controller = new AbortController()
  private promise: Promise<FetchResult<Id, V>> | undefined
  private waiters = 0

  /** Whether the source of truth has been queried. If it has, the result may be older than a read that begins now. */
  hasStarted = false

  /** getResult() calls `fetch`, which must call `markStarted` right before it queries the source of truth. */
  constructor(private readonly fetch: (signal: AbortSignal, markStarted: () => void) => Promise<FetchResult<Id, V>>) {}

  get isAborted(): boolean {
    return this.controller.signal.aborted
  }

  /** Settles like `fetch`, which the first call calls. */
  getResult(): Promise<FetchResult<Id, V>> {
    this.promise ??= this.fetch(this.controller.signal, () => {
      this.hasStarted = true
    })
    return this.promise
  }

  /**
   * Resolves with the result. Rejects if the fetch fails or the caller cancels. A caller without a cancellation keeps the fetch
   * from being aborted.
   */
  waitFor(cancellation: Cancellation | undefined): Promise<FetchResult<Id, V>> {
    this.waiters += 1
    const result = this.getResult()
    return cancellation ? waitUnlessCancelled(cancellation, result, () => this.removeWaiter()) : result
  }

  private removeWaiter(): void {
    this.waiters -= 1
    if (this.waiters === 0) this.controller.abort()
  }
}
