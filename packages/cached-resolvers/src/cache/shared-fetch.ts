import { type Caller, waitAs } from './caller.js'

type Found<Id, V> = ReadonlyMap<Id, V>

/** One fetch for all who wait for what it finds. It is aborted when the last of them has given up, and not before. */
export class SharedFetch<Id, V> {
  private readonly controller = new AbortController()
  private begun: Promise<Found<Id, V>> | undefined
  private waiting = 0

  /** Whether the source of truth has been asked. What it finds may be older than whoever comes after that. */
  hasStarted = false

  /** `fetch` is called when somebody asks for what it finds, and calls back when it asks the source of truth. */
  constructor(private readonly fetch: (signal: AbortSignal, started: () => void) => Promise<Found<Id, V>>) {}

  get isAborted(): boolean {
    return this.controller.signal.aborted
  }

  /** What it finds, whoever waits for it */
  get found(): Promise<Found<Id, V>> {
    this.begun ??= this.fetch(this.controller.signal, () => {
      this.hasStarted = true
    })
    return this.begun
  }

  /** The same for a caller. Rejects when the fetch fails, and when the caller gives up; without a caller it is seen through. */
  waitFor(caller: Caller | undefined): Promise<Found<Id, V>> {
    this.waiting += 1
    return caller ? waitAs(caller, this.found, () => this.leave()) : this.found
  }

  private leave(): void {
    this.waiting -= 1
    if (this.waiting === 0) this.controller.abort()
  }
}
