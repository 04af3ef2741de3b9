import type { Counters } from './counters.js'
import type { Namespace } from './namespace.js'
import { reasonOf } from './reason.js'
import { type CacheStore, StoreUnavailableError } from './store.js'
import type { Trust } from './trust.js'

/** Asks the store without ever rejecting: what did not come off is counted, and is undefined. */
export class Attempts {
  private lastReason = ''
  private lastRefusal: string | undefined

  constructor(
    private readonly store: CacheStore,
    private readonly counters: Counters,
    private readonly trust: Trust,
    private readonly log: (message: string) => void,
  ) {}

  /** What the server said to the last one that did not come off; undefined where it said nothing. */
  get refusal(): string | undefined {
    return this.lastRefusal
  }

  /** Whether nothing speaks against the store now, for callers whose own right to answer is short. */
  get isSettled(): boolean {
    return this.trust.isSettled
  }

  /** Not even tried while the store is distrusted. */
  run<T>(namespace: Namespace<unknown>, command: (store: CacheStore) => Promise<T>): Promise<T | undefined> {
    if (this.trust.isTrusted) return this.force(namespace, command)
    this.counters.add(namespace.name, 'unavailable')
    return Promise.resolve(undefined)
  }

  /** Tried whatever is thought of the store. */
  async force<T>(namespace: Namespace<unknown>, command: (store: CacheStore) => Promise<T>): Promise<T | undefined> {
    try {
      return await command(this.store)
    } catch (error) {
      const isAway = error instanceof StoreUnavailableError
      this.lastRefusal = isAway ? undefined : reasonOf(error)
      this.counters.add(namespace.name, isAway ? 'unavailable' : 'refused')
      if (this.lastRefusal === undefined) this.trust.distrust()
      else this.explain(this.lastRefusal)
      return undefined
    }
  }

  /** What the server says to every command needs one line in the log. */
  private explain(reason: string): void {
    if (reason !== this.lastReason) this.log(`the cache server refuses: ${reason}`)
    this.lastReason = reason
  }
}
