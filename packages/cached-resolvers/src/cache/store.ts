/**
 * Stores entries. Every method rejects with StoreUnavailableError if the store does not answer in time, and with another Error if
 * it replies with one. One contract suite is run against every implementation.
 */
export interface CacheStore {
  readonly backend: 'redis' | 'redis-cluster' | 'memory'
  /** False while the circuit breaker is open: the store failed to answer repeatedly, and no commands are sent to it. */
  readonly answering: boolean
  /** Starts to connect and returns; if the store is not available yet, connecting continues in the background. */
  connect(): Promise<void>
  close(): Promise<void>
  /** Round trip in milliseconds. */
  ping(): Promise<number>
  /** Reads in one round trip. Keys that are missing, or hold no text, are null. */
  readMany(keys: readonly string[]): Promise<(string | null)[]>
  /** Compares and swaps in one round trip; each key independently of the others. */
  swapMany(swaps: readonly Swap[]): Promise<SwapAnswer[]>
  /**
   * Resolves when every watcher of every process has applied the removal, or its lease has expired so that it no longer serves
   * near entries.
   */
  removeMany(keys: readonly string[]): Promise<void>
  /** At most `count` random keys, possibly with duplicates. */
  sampleKeys(count: number): Promise<string[]>
  /**
   * The server as `<run id>/<replication id>`; several servers separated by commas. It changes after every restart or failover,
   * and after the server was a replica in between. Rejects if the connections lead to different servers, or if a server does not
   * report its ids.
   */
  identity(): Promise<string>
  /** Reports every removal from now on. Not implemented by a store without other clients. */
  watch?(watcher: Watcher): Watch
  /**
   * Adds to the counters that all processes share. Idempotent per batch id. The counters expire `ttlMs` after the last call;
   * null: never.
   */
  addCounts(key: string, batchId: string, counts: ReadonlyMap<string, number>, ttlMs: number | null): Promise<void>
  readCounts(key: string): Promise<ReadonlyMap<string, number>>
  /** Adds to leaky buckets and returns their new levels. Not implemented by a store without other clients. */
  addToBuckets?(additions: readonly BucketAddition[], leakPerMs: number): Promise<number[]>
  info(): Promise<StoreInfo>
}

export interface BucketAddition {
  key: string
  amount: number
}

export interface Swap {
  key: string
  /**
   * vacant: the key is missing, or its text begins with `expected`
   * held: the text of the key begins with `expected`
   * unleased: the key holds no lease; it may be missing
   */
  when: { state: 'vacant'; expected?: string } | { state: 'held'; expected: string } | { state: 'unleased' }
  value: string
  /** null: no expiry */
  ttlMs: number | null
}

export interface Watch {
  /** Reconnects, to the server that the address resolves to now. */
  reopen(): void
  stop(): void
}

export interface Watcher {
  /** The key that holds the server's registration (see ChangeSource) */
  readonly registrationKey: string
  /** The registration that is expected there; undefined while the store is distrusted */
  readonly registration: string | undefined
  /**
   * How long after its last `onUpToDate` the watcher may serve near entries; a removal waits at most that long for its
   * acknowledgement. null: the watcher keeps no entries, and removals do not wait for it.
   */
  readonly leaseMs: number | null
  onRemoved(keys: readonly string[]): void
  /** Removals may have been missed, or may be missed until the next call of `onUpToDate`. */
  onMissedRemovals(): void
  /** The store could not be reached: it may be another server now, or may not have received commands sent to it. */
  onStoreLost(): void
  /** All removals that this server published up to `asOf`, on the watcher's clock, have been reported. */
  onUpToDate(asOf: number, server: WatchedServer): void
  /** Milliseconds; only differences matter. */
  now(): number
}

export interface WatchedServer {
  /** The run id of one of the servers that `identity` returns */
  runId: string
  /** The value of `registrationKey` on this server; undefined if unknown */
  registration: string | null | undefined
}

/** `current`: the text that did not meet the condition; null if the key is missing. */
export type SwapAnswer = { swapped: true } | { swapped: false; current: string | null }

export interface StoreInfo {
  version: string | null
  usedMemoryBytes: number | null
  uptimeSeconds: number | null
  connectedClients: number | null
  keys: number | null
}

/** The store did not answer in time, or cannot be reached. */
export class StoreUnavailableError extends Error {
  override readonly name = 'StoreUnavailableError'
}
