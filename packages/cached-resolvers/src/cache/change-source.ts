/**
 * The registry of stores in the source of truth. From the moment a store is registered, the source keeps every committed
 * invalidation until that store has confirmed it. Each cache server is registered under its own name, so a confirmation by one
 * server does not count for another server. It therefore does not matter which server an address resolves to, or how often that
 * changes.
 */
export interface ChangeSource {
  /**
   * Duration of a trust lease in milliseconds. A process takes a trust lease on a store by calling `renewLease`, and may serve
   * entries of that store until the lease expires. A writer waits for a store to apply an invalidation only while some process
   * holds a lease on that store.
   */
  readonly leaseMs: number
  /** Returns null if no store with this name is registered. */
  find(name: string): Promise<StoreRegistration | null>
  /** Registers the store and returns its registration. Returns null if another process registered the store at the same time. */
  register(name: string): Promise<string | null>
  /** Starts a new trust lease on the store. Returns false, without a lease, if the registration no longer exists. */
  renewLease(registration: string): Promise<boolean>
  /**
   * Delivers all invalidations that are pending for the store. Rejects if the store does not confirm one of them. Rejects as well
   * if the epoch of the cache (see Trust.epoch) changes during the delivery, because a different server may have given the
   * confirmations.
   */
  catchUp(registration: string, epoch: number): Promise<void>
  /** Removes a store that will not be used again, and drops its pending invalidations. */
  unregister(registration: string): Promise<void>
}

interface StoreRegistration {
  registration: string
  /**
   * Whether any process has ever held a trust lease on the store. If not, the store may hold entries from before it was
   * registered.
   */
  wasUsed: boolean
}

/**
 * For a cache whose owner calls `invalidate` for every change. It keeps no invalidations. Each server counts as registered under
 * its name, which changes when the server restarts, and trust leases never expire.
 */
export const standalone: ChangeSource = {
  leaseMs: Number.POSITIVE_INFINITY,
  find: async (name) => ({ registration: name, wasUsed: false }),
  register: async (name) => name,
  renewLease: async () => true,
  catchUp: async () => {},
  unregister: async () => {},
}
