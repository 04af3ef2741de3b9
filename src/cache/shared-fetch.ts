import { type Caller, waitAs } from './caller.js'

type Found<Id, V> = ReadonlyMap<Id, V>

/** One fetch for all who wait for what it finds. It is aborted when the last of them has given up, and not before. */
export class SharedFetch<Id, V> {
  private readonly controller = new AbortController()
  private begun: Promise<Found<Id, V>> | undefined
  private waiting = 0

  /** It begins when somebody asks for what it finds. */
  constructor(private readonly fetch: (signal: AbortSignal) => Promise<Found<Id, V>>) {}

  get isAborted(): boolean {
    return this.controller.signal.aborted
  }

  /** What it finds, whoever waits for it */
  get found(): Promise<Found<Id, V>> {
    this.begun ??= this.fetch(this.controller.signal)
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
