/**
 * Stores entries. Every method that sends a command rejects with StoreUnavailableError if the store does not answer in time, and
 * with a different Error if the store replies with an error. All implementations pass the tests in test/cache/store-contract.ts.
 */
export interface CacheStore {
  readonly backend: 'redis' | 'redis-cluster' | 'memory'
  /** False while the circuit breaker is open: the store failed to answer repeatedly, and only health checks are sent to it. */
  readonly answering: boolean
  /** Resolves when the first attempt to connect has succeeded, failed or timed out. Further attempts run in the background. */
  connect(): Promise<void>
  close(): Promise<void>
  /** Returns the round-trip time in milliseconds. */
  ping(): Promise<number>
  /** Reads the texts of all keys in one round trip. The result is null for a key that is missing or does not hold text. */
  readMany(keys: readonly string[]): Promise<(string | null)[]>
  /**
   * Compares and swaps the texts of all keys in one round trip. Each key is swapped or left unchanged independently of the other
   * keys.
   */
  swapMany(swaps: readonly Swap[]): Promise<SwapAnswer[]>
  /**
   * Removes the keys. Resolves when each watcher of each process has either applied the removal, or stopped serving near entries
   * because its near lease (see Watcher.nearLeaseMs) has expired.
   */
  removeMany(keys: readonly string[]): Promise<void>
  /** Returns at most `count` random keys, possibly with duplicates. */
  sampleKeys(count: number): Promise<string[]>
  /**
   * Returns the identity of the server as `<run id>/<replication id>`; for several servers, their identities separated by commas.
   * The identity changes after each restart or failover, and when a master becomes a replica and is promoted again. Rejects if
   * the connections lead to different servers, or if a server does not report its ids.
   */
  identity(): Promise<string>
  /** Starts to report every removal to the watcher. Not implemented by a store that has no other clients. */
  watch?(watcher: Watcher): Watch
  /**
   * Adds to the counters that all processes share. A batch that is sent again under the same id is not added again. The counters
   * expire `ttlMs` milliseconds after the last call, or never if `ttlMs` is null.
   */
  addCounts(key: string, batchId: string, counts: ReadonlyMap<string, number>, ttlMs: number | null): Promise<void>
  readCounts(key: string): Promise<ReadonlyMap<string, number>>
  /** Adds to leaky buckets and returns their new levels. Not implemented by a store that has no other clients. */
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
   * The condition for writing the value:
   * - absent: the key is missing
   * - absentOrStartsWith: the key is missing, or its text starts with `expected`
   * - startsWith: the text of the key starts with `expected`
   * - notLeased: the key holds no lease; it may be missing
   */
  when: { state: 'absent' | 'notLeased' } | { state: 'absentOrStartsWith' | 'startsWith'; expected: string }
  value: string
  /** null for a value that does not expire */
  ttlMs: number | null
}

export interface Watch {
  /** Closes the connections to the store. They are opened again, to the server to which the address resolves then. */
  reconnect(): void
  stop(): void
}

export interface Watcher {
  /** The key that holds the server's registration (see ChangeSource) */
  readonly registrationKey: string
  /** The registration that `registrationKey` should hold; undefined while the store is distrusted */
  readonly registration: string | undefined
  /**
   * Duration of the near lease: how long after the last call of `onUpToDate` the watcher may serve near entries. A removal waits at
   * most that long for the watcher to acknowledge the removal. null if the watcher keeps no near entries, so that removals do not
   * wait for the watcher.
   */
  readonly nearLeaseMs: number | null
  onRemoved(keys: readonly string[]): void
  /** Called when the watcher may have missed removals, or may miss some before the next call of `onUpToDate`. */
  onMissedRemovals(): void
  /**
   * Called when the connection to the store was lost. Afterwards, the address may lead to a different server. Commands that were
   * sent before may not have been received.
   */
  onStoreLost(): void
  /** Called when all removals that this server published before `asOf` (a time of `now()`) have been reported. */
  onUpToDate(asOf: number, server: WatchedServer): void
  /** Milliseconds; only differences matter. */
  now(): number
}

export interface WatchedServer {
  /** The run id of one of the servers that `identity` returns */
  runId: string
  /** The text of `registrationKey` on this server; null if the key is missing, undefined if it is not known */
  registration: string | null | undefined
}

/** `current` is the text that did not meet the condition, or null if the key is missing. */
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
