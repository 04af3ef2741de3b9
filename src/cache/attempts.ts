import type { Counters } from './counters.js'
import type { Namespace } from './namespace.js'
import { type CacheStore, StoreUnavailableError } from './store.js'
import type { Trust } from './trust.js'

/** Asks the store without ever rejecting: what did not come off is counted, and is undefined. */
export class Attempts {
  constructor(
    private readonly store: CacheStore,
    private readonly counters: Counters,
    private readonly trust: Trust,
  ) {}

  /** Whether what the store holds may be believed now */
  get allowed(): boolean {
    return this.trust.given
  }

  /** Not even tried while the store is doubted. */
  run<T>(namespace: Namespace<unknown>, command: (store: CacheStore) => Promise<T>): Promise<T | undefined> {
    if (this.trust.given) return this.insist(namespace, command)
    this.counters.add(namespace.name, 'unavailable')
    return Promise.resolve(undefined)
  }

  /** Tried whatever is thought of the store. */
  async insist<T>(namespace: Namespace<unknown>, command: (store: CacheStore) => Promise<T>): Promise<T | undefined> {
    try {
      return await command(this.store)
    } catch (error) {
      const isAway = error instanceof StoreUnavailableError
      this.counters.add(namespace.name, isAway ? 'unavailable' : 'refused')
      if (isAway) this.trust.doubt()
      return undefined
    }
  }
}
