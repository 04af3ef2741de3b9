/**
 * The source of truth, as far as it knows which stores are in use. It owes every registered store the invalidations that were committed
 * since the registration, until that store has confirmed them. A server is registered under its own name, so what one server confirmed
 * is still owed to every other one: it does not matter to which of them an address leads, or how often that changes.
 */
export interface ChangeSource {
  /** A store may be trusted that long, in milliseconds, after it was last reported in use. */
  readonly leaseMs: number
  /** Null where no store with this name is registered. */
  find(name: string): Promise<Registered | null>
  /** Gives null where another process has registered it meanwhile. */
  register(name: string): Promise<string | null>
  /** Reports that this process trusts the store from now on. Answers whether the registration still stands. */
  reportInUse(registration: string): Promise<boolean>
  /**
   * Delivers all invalidations that are owed to the store now. Rejects when the store does not confirm one, and when the epoch of the cache
   * is another one by then: it may have been another server that confirmed.
   */
  catchUp(registration: string, epoch: number): Promise<void>
  /** Nothing is owed to this store any more: it is gone for good. */
  unregister(registration: string): Promise<void>
}

interface Registered {
  registration: string
  /** Whether it was ever reported in use; until then it may still hold what it held before it was registered. */
  wasUsed: boolean
}

/** For a cache whose owner delivers every invalidation by itself: a server keeps its registration until it restarts. */
export const standalone: ChangeSource = {
  leaseMs: Number.POSITIVE_INFINITY,
  find: async (name) => ({ registration: name, wasUsed: false }),
  register: async (name) => name,
  reportInUse: async () => true,
  catchUp: async () => {},
  unregister: async () => {},
}
