import { type Cancellation, waitUnlessCancelled } from './cancellation.js'

type FetchResult<Id, V> = ReadonlyMap<Id, V>

/** One fetch for any number of callers. It is aborted when the last of them has cancelled, and not before. */
export class SharedFetch<Id, V> {
  private readonly controller = new AbortController()
  private promise: Promise<FetchResult<Id, V>> | undefined
  private waiters = 0

  /** Whether the source of truth has been queried. The result may be older than a read that begins after that. */
  hasStarted = false

  /** `fetch` is called when the result is first requested, and calls `started` when it queries the source of truth. */
  constructor(private readonly fetch: (signal: AbortSignal, started: () => void) => Promise<FetchResult<Id, V>>) {}

  get isAborted(): boolean {
    return this.controller.signal.aborted
  }

  get result(): Promise<FetchResult<Id, V>> {
    this.promise ??= this.fetch(this.controller.signal, () => {
      this.hasStarted = true
    })
    return this.promise
  }

  /**
   * Resolves with the result. Rejects if the fetch fails or the caller cancels; without a cancellation the fetch always runs to
   * its end.
   */
  waitFor(cancellation: Cancellation | undefined): Promise<FetchResult<Id, V>> {
    this.waiters += 1
    return cancellation ? waitUnlessCancelled(cancellation, this.result, () => this.removeWaiter()) : this.result
  }

  private removeWaiter(): void {
    this.waiters -= 1
    if (this.waiters === 0) this.controller.abort()
  }
}
