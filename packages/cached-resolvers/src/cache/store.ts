/**
 * A place for entries. All of its methods reject with StoreUnavailableError when it cannot be reached in time,
 * and with another Error when it answered with one. One contract suite is run against every implementation.
 */
export interface CacheStore {
  readonly backend: 'redis' | 'redis-cluster' | 'memory'
  /** False while it is not even asked, because it did not answer again and again. */
  readonly answering: boolean
  /** Starts connecting and returns; a store that is not there yet is connected to when it comes. */
  connect(): Promise<void>
  close(): Promise<void>
  /** Round trip in milliseconds. */
  ping(): Promise<number>
  /** One round trip. What is missing, or not text, is null. */
  readMany(keys: readonly string[]): Promise<(string | null)[]>
  /** Compare and swap, one round trip, each key for itself. */
  swapMany(swaps: readonly Swap[]): Promise<SwapAnswer[]>
  /** Resolves when every watcher, in whatever process, has been told, or has lost the right to answer from what it keeps. */
  removeMany(keys: readonly string[]): Promise<void>
  /** Keys at random, one may come twice: `count` of them at most, fewer where there are few. */
  sampleKeys(count: number): Promise<string[]>
  /**
   * Which server this is, or servers, with commas between them, as `<run id>/<replication id>`: another one after every restart or failover,
   * and after it was a replica in between. Rejects where the connections lead to different servers, and where it does not say which it is.
   */
  identity(): Promise<string>
  /** Tells of every removal from now on; undefined where the store has no other clients. */
  watch?(watcher: Watcher): Watch
  /**
   * Adds to the counters that all processes share, once for each batch id, however often it is called with it. They go
   * `ttlMs` after the last call; null: never.
   */
  addCounts(key: string, batchId: string, counts: ReadonlyMap<string, number>, ttlMs: number | null): Promise<void>
  readCounts(key: string): Promise<ReadonlyMap<string, number>>
  /** Adds to buckets that leak, and gives what they hold then; undefined where the store has no other clients. */
  addToBuckets?(additions: readonly Addition[], leakPerMs: number): Promise<number[]>
  info(): Promise<StoreInfo>
}

export interface Addition {
  key: string
  amount: number
}

export interface Swap {
  key: string
  /**
   * vacant: nothing may be there, or something that begins with `expected`
   * held: something that begins with `expected` must be there
   * unleased: anything may be there but a lease
   */
  when: { state: 'vacant'; expected?: string } | { state: 'held'; expected: string } | { state: 'unleased' }
  value: string
  /** null: does not expire */
  ttlMs: number | null
}

export interface Watch {
  /** Connects anew, to wherever the address leads now. */
  reopen(): void
  stop(): void
}

export interface Watcher {
  /** Where the server holds its registration (see ChangeSource) */
  readonly markerKey: string
  /** What it should find there; undefined while the store is distrusted */
  readonly registration: string | undefined
  /**
   * How long, after it was last up to date, the watcher may answer from what it keeps; whoever removes something waits for that long at
   * most to hear that it was told. null: it keeps nothing, and nobody waits for it.
   */
  readonly leaseMs: number | null
  removed(keys: readonly string[]): void
  /** Some may not have been told, or will not be until the next call of `upToDate`. */
  missed(): void
  /** The store itself could not be reached: it may be another one now, or may not have got what it was sent. */
  lost(): void
  /** All removals that this server announced up to this moment of the watcher's clock have been told. */
  upToDate(asOf: number, server: WatchedServer): void
  /** Milliseconds; only differences matter. */
  now(): number
}

export interface WatchedServer {
  /** Of one of those that `identity` gives */
  runId: string
  /** What it holds under `markerKey`; undefined where that is not known */
  marker: string | null | undefined
}

/** `held` is what stood in the way. */
export type SwapAnswer = { swapped: true } | { swapped: false; held: string | null }

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
