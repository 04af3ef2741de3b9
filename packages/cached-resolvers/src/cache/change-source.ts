/**
 * The registry of stores in the source of truth. It keeps every invalidation committed since a store was registered until that
 * store has confirmed it. Each server is registered under its own name, so a confirmation by one server does not count for
 * another: it does not matter which server an address resolves to, or how often that changes.
 */
export interface ChangeSource {
  /** How many milliseconds a process may trust a store after it last reported the store in use */
  readonly leaseMs: number
  /** null if no store with this name is registered */
  find(name: string): Promise<StoreRegistration | null>
  /** Returns the registration; null if another process registered the store at the same time. */
  register(name: string): Promise<string | null>
  /** Reports that this process trusts the store from now on. Returns whether the registration still exists. */
  reportInUse(registration: string): Promise<boolean>
  /**
   * Delivers all invalidations that are pending for the store. Rejects if the store does not confirm one, or if the epoch of the
   * cache has changed by then: another server may have confirmed them.
   */
  catchUp(registration: string, epoch: number): Promise<void>
  /** For a store that is gone for good: drops its pending invalidations. */
  unregister(registration: string): Promise<void>
}

interface StoreRegistration {
  registration: string
  /** Whether the store was ever reported in use. If not, it may still hold entries from before its registration. */
  wasUsed: boolean
}

/** For a cache whose owner delivers every invalidation itself: a server keeps its registration until it restarts. */
export const standalone: ChangeSource = {
  leaseMs: Number.POSITIVE_INFINITY,
  find: async (name) => ({ registration: name, wasUsed: false }),
  register: async (name) => name,
  reportInUse: async () => true,
  catchUp: async () => {},
  unregister: async () => {},
}
