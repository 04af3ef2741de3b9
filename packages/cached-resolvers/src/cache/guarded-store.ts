import type { Counters } from './counters.js'
import type { Namespace } from './namespace.js'
import { reasonOf } from './reason.js'
import { type CacheStore, StoreUnavailableError } from './store.js'
import type { Trust } from './trust.js'

/** Runs commands on the store and never rejects: a command that failed is counted and resolves with undefined. */
export class GuardedStore {
  private lastLoggedReason = ''
  private lastErrorReply: string | undefined

  constructor(
    private readonly store: CacheStore,
    private readonly counters: Counters,
    private readonly trust: Trust,
    private readonly log: (message: string) => void,
  ) {}

  /** The error reply to the command that failed last; undefined if the server did not reply. */
  get lastRefusalReason(): string | undefined {
    return this.lastErrorReply
  }

  /** See Trust.isCaughtUp: a cheaper check, for reads of the near store. */
  get isCaughtUp(): boolean {
    return this.trust.isCaughtUp
  }

  /** Does not send the command while the store is distrusted. */
  run<T>(namespace: Namespace<unknown>, command: (store: CacheStore) => Promise<T>): Promise<T | undefined> {
    if (this.trust.isTrusted) return this.force(namespace, command)
    this.counters.add(namespace.name, 'unavailable')
    return Promise.resolve(undefined)
  }

  /** Sends the command even while the store is distrusted. */
  async force<T>(namespace: Namespace<unknown>, command: (store: CacheStore) => Promise<T>): Promise<T | undefined> {
    try {
      return await command(this.store)
    } catch (error) {
      const isUnavailable = error instanceof StoreUnavailableError
      this.lastErrorReply = isUnavailable ? undefined : reasonOf(error)
      this.counters.add(namespace.name, isUnavailable ? 'unavailable' : 'refused')
      if (this.lastErrorReply === undefined) this.trust.distrust()
      else this.logOnce(this.lastErrorReply)
      return undefined
    }
  }

  /** A server that refuses every command with the same error is logged once. */
  private logOnce(reason: string): void {
    if (reason !== this.lastLoggedReason) this.log(`the cache server refuses: ${reason}`)
    this.lastLoggedReason = reason
  }
}
