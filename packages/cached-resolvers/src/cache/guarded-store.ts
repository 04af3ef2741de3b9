import type { Counters } from './counters.js'
import type { Namespace } from './namespace.js'
import { reasonOf } from './reason.js'
import { type CacheStore, StoreUnavailableError } from './store.js'
import type { Trust } from './trust.js'

/** Runs commands on the store. Never rejects: a command that fails is counted as an error and resolves to undefined. */
export class GuardedStore {
  private lastLoggedReason = ''
  private errorReply: string | undefined

  constructor(
    private readonly store: CacheStore,
    private readonly counters: Counters,
    private readonly trust: Trust,
    private readonly log: (message: string, level: 'warn') => void,
  ) {}

  /** The error reply of the server to the last command that failed; undefined if the server did not reply to that command. */
  get lastErrorReply(): string | undefined {
    return this.errorReply
  }

  /** See Trust.isCaughtUp. */
  get isCaughtUp(): boolean {
    return this.trust.isCaughtUp
  }

  /** Runs the command. While the store is distrusted, the command is not sent and counts as unavailable. */
  run<T>(namespace: Namespace<unknown>, command: (store: CacheStore) => Promise<T>): Promise<T | undefined> {
    if (this.trust.isTrusted) return this.force(namespace, command)
    this.counters.add(namespace.name, 'unavailable')
    return Promise.resolve(undefined)
  }

  /** Runs the command even while the store is distrusted. */
  async force<T>(namespace: Namespace<unknown>, command: (store: CacheStore) => Promise<T>): Promise<T | undefined> {
    try {
      return await command(this.store)
    } catch (error) {
      const isUnavailable = error instanceof StoreUnavailableError
      this.errorReply = isUnavailable ? undefined : reasonOf(error)
      this.counters.add(namespace.name, isUnavailable ? 'unavailable' : 'refused')
      if (this.errorReply === undefined) this.trust.distrust()
      else this.logOnce(this.errorReply)
      return undefined
    }
  }

  /** Logs the error reply, unless it equals the last one that was logged. */
  private logOnce(reason: string): void {
    if (reason !== this.lastLoggedReason) this.log(`the cache server refuses: ${reason}`, 'warn')
    this.lastLoggedReason = reason
  }
}
