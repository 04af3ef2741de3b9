import { setTimeout as sleep } from 'node:timers/promises'
import type { Cancellation } from './cancellation.js'
import { type ChangeSource, standalone } from './change-source.js'
import type { CountedEntries } from './counted-entries.js'
import { Counters, type Counts } from './counters.js'
import { DecodedEntry } from './decoded-entry.js'
import { EntryWriter, type Lease } from './entry-writer.js'
import { FetchLimiter, type FetchLimiterLoad, type FetchLimiterOptions } from './fetch-limiter.js'
import { isEarlyRefreshDue } from './freshness.js'
import { GuardedStore } from './guarded-store.js'
import { InFlightFetches } from './in-flight-fetches.js'
import { describeStored, type Inspection } from './inspection.js'
import { type KeyParts, Keys } from './key.js'
import {
  interpret,
  type KeyRead,
  type Lookup,
  type LookupSource,
  lookupSourceOf,
  type StoredLookup,
  softUntilMsOf,
} from './key-read.js'
import { KeyReader } from './key-reader.js'
import type { EntryId, Fetch, Invalidation, Namespace } from './namespace.js'
import { NearStore, type NearStoreOptions } from './near-store.js'
import { ReadSampler, type SampledReads } from './read-sampler.js'
import { ReadThrough } from './read-through.js'
import type { CacheStore, StoreInfo, Watch, WatchedServer } from './store.js'
import { createTokenSource } from './token.js'
import { Trust } from './trust.js'

export interface CacheOptions {
  store: CacheStore
  /** Keys are `<prefix>:<version>:<namespace>:<id>`. */
  prefix: string
  /** Default: 'v1' */
  version?: string
  /**
   * All namespaces of this cache. They are invalidated when the store may have missed invalidations, for example after a
   * different server has taken the place of the cache server.
   */
  namespaces: readonly Pick<Namespace<unknown>, 'name'>[]
  /**
   * Options of the near store in the memory of this process; null for no near store. Used only with a store that has `watch`.
   * Default: 64 MB and 500 ms
   */
  near?: Omit<NearStoreOptions, 'keys' | 'now' | 'random'> | null
  /**
   * Duration of the lease on an entry. The lease is renewed while the fetch runs, and expires if the process dies. Default: 1,000
   */
  leaseMs?: number
  /**
   * How long a caller waits for the fetch of another process. After that it fetches the value itself, without filling. Default:
   * 1,000
   */
  leaseWaitMs?: number
  /** Limits of running and waiting fetches. Default: 20 running for at most 10 s each, 500 waiting for at most 1 s each */
  fetchLimits?: FetchLimiterOptions
  createToken?: () => string
  /** Wall clock in milliseconds, because soft TTLs are stored in entries and compared by other processes */
  now?: () => number
  sleep?: (ms: number) => Promise<void>
  /** 0 to 1, for jitter and early refills */
  random?: () => number
  /** Receives a warning with the reason when the store is no longer used, and a message when it is used again. */
  log?: (message: string, level: 'info' | 'warn') => void
}

function withDefaults(options: CacheOptions): Required<CacheOptions> {
  return {
    version: 'v1',
    near: { maxBytes: 64 * 1024 * 1024, maxStalenessMs: 500 },
    leaseMs: 1_000,
    leaseWaitMs: 1_000,
    fetchLimits: { maxRunning: 20, maxRunMs: 10_000, maxWaiting: 500, maxWaitMs: 1_000 },
    createToken: createTokenSource(),
    now: Date.now,
    sleep,
    random: Math.random,
    log: () => {},
    ...options,
  }
}

export interface ReadOptions {
  /** Called for each id with the source of its lookup */
  onLookup?: (source: LookupSource) => void
  /** If not given, the read cannot be cancelled. */
  cancellation?: Cancellation | undefined
}

/**
 * A read-through cache over a store. Reads, fills and invalidations never reject because of the store: while the store is
 * unavailable or distrusted, entries of the store are misses and fills are dropped. Only `ping`, `info` and `sample` reject if
 * the store does not answer. A fill never makes an outdated value readable: it lands only if its lease still exists, and the
 * entry is valid only in the generation in which the lease was taken. Invalidating an id removes the lease; invalidating a list
 * or a namespace leaves the leases but removes the generation.
 */
export class Cache {
  private readonly store: CacheStore
  private readonly keys: Keys
  private readonly counters: Counters
  private readonly readSampler: ReadSampler
  private readonly inFlightFetches = new InFlightFetches()
  private readonly near: NearStore | null
  private readonly trust: Trust
  private readonly guardedStore: GuardedStore
  private readonly fetchLimiter: FetchLimiter
  private readonly keyReader: KeyReader
  private readonly entryWriter: EntryWriter
  private readonly readThrough: ReadThrough
  private readonly now: () => number
  private readonly random: () => number
  private readonly registrationKey: string
  private watch: Watch | undefined
  /** The error reply of the server to the last invalidation; undefined if the server confirmed it or did not reply */
  private lastInvalidationRefusal: string | undefined

  constructor(partialOptions: CacheOptions) {
    const options = withDefaults(partialOptions)
    const { store, now, sleep, random, createToken, log } = options
    this.store = store
    this.now = now
    this.random = random
    const keys = new Keys(options.prefix, options.version)
    this.keys = keys
    this.registrationKey = keys.registration(options.namespaces.map(({ name }) => name))
    this.counters = new Counters(store, keys.counters(), createToken)
    this.readSampler = new ReadSampler(random)
    this.near =
      options.near && store.watch ? new NearStore({ ...options.near, keys, random, now: () => performance.now() }) : null
    this.trust = new Trust({
      store,
      sleep,
      retryDelayMs: trustRetryMs,
      leaseRenewalIntervalMs: trustLeaseRenewalIntervalMs,
      now: () => performance.now(),
      registrationKey: this.registrationKey,
      generationKeys: options.namespaces.map((namespace) => keys.namespaceGeneration(namespace)),
      log,
    })
    this.guardedStore = new GuardedStore(store, this.counters, this.trust, log)
    const shared = { ...options, keys, counters: this.counters, near: this.near, guardedStore: this.guardedStore }
    this.keyReader = new KeyReader(shared)
    this.entryWriter = new EntryWriter(shared)
    this.fetchLimiter = new FetchLimiter(options.fetchLimits)
    this.readThrough = new ReadThrough({
      ...shared,
      keyReader: this.keyReader,
      entryWriter: this.entryWriter,
      inFlightFetches: this.inFlightFetches,
      fetchLimiter: this.fetchLimiter,
    })
  }

  get backend(): CacheStore['backend'] {
    return this.store.backend
  }

  /** Whether entries of the store are served (see Trust). */
  get trusted(): boolean {
    return this.trust.isTrusted
  }

  /** Why the store is not trusted. Meaningless while the store is trusted. */
  get distrustReason(): string {
    const { lastInvalidationRefusal, trust } = this
    return lastInvalidationRefusal === undefined || lastInvalidationRefusal === trust.reason
      ? trust.reason
      : `${trust.reason} (${lastInvalidationRefusal})`
  }

  /** What identifies the store at the source of truth (see ChangeSource.register); undefined while the store is distrusted. */
  get registration(): string | undefined {
    return this.trust.registration
  }

  /**
   * Number of the current epoch. Each call of Trust.distrust() begins a new epoch. A change of the server always leads to one, so all
   * confirmations received in one epoch come from one server.
   */
  get epoch(): number {
    return this.trust.epoch
  }

  /**
   * Connects to the store and makes the first attempt to trust it. Resolves whether or not the store is available. `source`
   * registers stores and delivers their pending invalidations. A store that was unreachable, however briefly, is not trusted
   * until its pending invalidations have been delivered.
   */
  async connect(source: Partial<ChangeSource> = {}): Promise<void> {
    const { trust } = this
    await this.store.connect()
    this.watch = this.store.watch?.({
      registrationKey: this.registrationKey,
      get registration() {
        return trust.registration
      },
      nearLeaseMs: this.near?.maxStalenessMs ?? null,
      onRemoved: (keys) => this.forget(keys),
      onMissedRemovals: () => this.forgetAll(),
      onStoreLost: () => {
        this.forgetAll()
        this.trust.distrust()
      },
      onUpToDate: (asOf, server) => this.confirmNear(asOf, server),
      now: () => performance.now(),
    })
    await this.trust.start({ ...standalone, ...source })
  }

  /** Waits for fills in progress, flushes the counts, and closes the store. */
  async close(): Promise<void> {
    await this.readThrough.waitUntilIdle()
    await this.flushCounts()
    await this.trust.end()
    this.watch?.stop()
    await this.store.close()
  }

  /**
   * Returns the round-trip time to the store in milliseconds. Rejects with StoreUnavailableError if the store does not answer.
   */
  ping(): Promise<number> {
    return this.store.ping()
  }

  /** Returns the version, memory and clients of the store. Rejects with StoreUnavailableError if the store does not answer. */
  info(): Promise<StoreInfo> {
    return this.store.info()
  }

  /**
   * Returns the counts by name of the namespace, summed across all processes that share the store, including the unflushed counts
   * of this process.
   */
  counts(namespaces: readonly string[]): Promise<Map<string, Counts>> {
    return this.counters.read(namespaces)
  }

  /** Returns the counts of this process since it started. */
  ownCounts(namespace: Pick<Namespace<unknown>, 'name'>): Counts {
    return this.counters.ownCounts(namespace.name)
  }

  /**
   * Returns how many lookups this process made since the previous call, and the `maxKeys` keys that were looked up most often. The
   * numbers are estimates (see ReadSampler).
   */
  takeHotKeys(maxKeys: number): SampledReads {
    return this.readSampler.take(maxKeys)
  }

  /** False while the circuit breaker is open: the store failed to answer repeatedly, and only health checks are sent to it. */
  get answering(): boolean {
    return this.store.answering
  }

  /** The numbers of running and of waiting fetches in this process */
  get fetchLoad(): FetchLimiterLoad {
    return this.fetchLimiter.load
  }

  /** Estimated memory of the near store in bytes */
  get nearBytes(): number {
    return this.near?.bytes ?? 0
  }

  /** Sends the counts of this process to the store. If the store is unavailable, the counts are kept for the next flush. */
  async flushCounts(): Promise<void> {
    await this.counters.flush().catch(() => undefined)
  }

  async read<V>(namespace: Namespace<V>, id: EntryId): Promise<Lookup<V>> {
    const [lookup] = await this.readMany(namespace, [id])
    return lookup as Lookup<V>
  }

  /** Looks up any number of ids in one round trip. The results are in the order of the ids. */
  async readMany<V>(namespace: Namespace<V>, ids: readonly EntryId[]): Promise<Lookup<V>[]> {
    const keyReads = await this.keyReader.read(namespace, ids)
    const now = this.now()
    const counts = this.counters.pendingCounts(namespace.name)
    this.readSampler.onReads(namespace.name, ids)
    return keyReads.map((keyRead) => {
      const lookup = interpret(namespace, keyRead, now)
      count(counts, keyRead, lookup)
      return lookup
    })
  }

  /** Like readMany, but counts no lookups. */
  async peekMany<V>(namespace: Namespace<V>, ids: readonly EntryId[]): Promise<Lookup<V>[]> {
    const keyReads = await this.keyReader.read(namespace, ids)
    return keyReads.map((keyRead) => interpret(namespace, keyRead, this.now()))
  }

  /** Returns what both stores hold under the id, for administrators. Counts nothing. */
  async inspect(namespace: Namespace<unknown>, id: EntryId): Promise<Inspection> {
    const near = this.keyReader.findNear(namespace, id)
    const far = await this.keyReader.readForInspection(namespace, id)
    const now = this.now()
    return {
      key: far.key,
      near: near ? describeStored(namespace, { stored: near, generation: near.generation, generations: [] }, now) : null,
      far: describeStored(namespace, far, now),
    }
  }

  /** Returns the namespace and the id or list of at most `count` random keys of the store. Rejects if the store does. */
  async sample(count: number): Promise<KeyParts[]> {
    return (await this.store.sampleKeys(count)).flatMap((key) => this.keys.parse(key) ?? [])
  }

  /** Records an audit: how many entries were compared with the source of truth, and how many differed. */
  countAudit(namespace: Namespace<unknown>, audited: number, wrong: number): void {
    this.counters.add(namespace.name, 'audited', audited)
    this.counters.add(namespace.name, 'wrong', wrong)
  }

  /** Returns whether the cache has a value, fresh or stale, other than a negative entry. Counts no lookups. */
  async has(namespace: Namespace<unknown>, id: EntryId): Promise<boolean> {
    return (await this.remainingTtlMs(namespace, id)) !== null
  }

  /** Returns how many milliseconds the value stays fresh: 0 if it is stale, null if the cache has no value. Counts no lookups. */
  async remainingTtlMs(namespace: Namespace<unknown>, id: EntryId): Promise<number | null> {
    const [keyRead] = (await this.keyReader.read(namespace, [id])) as [KeyRead<EntryId>]
    const now = this.now()
    const lookup = interpret(namespace, keyRead, now)
    if (lookup.state === 'miss' || lookup.state === 'negative' || lookup.value === null) return null
    return Math.max(0, softUntilMsOf(keyRead) - now)
  }

  /** Whether this process has a near store. Without one, readNear() finds nothing. */
  get hasNear(): boolean {
    return this.near !== null
  }

  /**
   * Returns a value of the near store synchronously; the value is null for a negative entry. Returns undefined if the near store has no
   * entry, or only one that is stale or may be due for an early refresh; call getOrFetchMany then. The value is shared and must not be
   * changed. An entry that is not in `counted` is counted as a hit and added to `counted`.
   */
  readNear<V>(namespace: Namespace<V>, id: EntryId, counted: CountedEntries): V | null | undefined {
    const entry = this.keyReader.findNear(namespace, id)
    if (!entry?.isBeforeEarlyRefresh(this.now())) return undefined
    if (counted.add(entry)) {
      const counts = this.counters.pendingCounts(namespace.name)
      countDecoded(counts, entry)
      counts.nearHits += 1
      this.readSampler.onRead(namespace.name, id)
    }
    return entry.value as V | null
  }

  async getOrFetch<V, Id extends EntryId>(namespace: Namespace<V>, id: Id, fetch: Fetch<Id, V>): Promise<V | null> {
    const [value] = await this.getOrFetchMany(namespace, [id], fetch)
    return value as V | null
  }

  /**
   * Looks up all ids, fetches the misses, and fills their entries (see ReadThrough.resolveMisses). Returns the values in the
   * order of the ids, and null for a value that does not exist. The ids must be distinct. Misses are returned as promises, so
   * that their fetches do not delay the hits. If the caller has already cancelled when leases on the misses are about to be
   * requested, the whole call rejects. A later cancellation, or a fetch that fails, rejects only the promises of the misses concerned.
   * A fetch is aborted when all of its callers have cancelled.
   */
  async getOrFetchMany<V, Id extends EntryId>(
    namespace: Namespace<V>,
    ids: readonly Id[],
    fetch: Fetch<Id, V>,
    { onLookup, cancellation }: ReadOptions = {},
  ): Promise<(V | null | Promise<V | null>)[]> {
    const keyReads = await this.keyReader.read(namespace, ids)
    const toRefill: KeyRead<Id>[] = []
    const missed: KeyRead<Id>[] = []
    const now = this.now()
    const counts = this.counters.pendingCounts(namespace.name)
    this.readSampler.onReads(namespace.name, ids)
    const found = keyReads.map((keyRead) => {
      // Without a near store, the key reader keeps the last read of each id, and returns the same object while the far store returns
      // the same text (see RecentKeyReads). Its value is returned without creating a lookup result or drawing a random number.
      if (keyRead instanceof DecodedEntry && keyRead.isBeforeEarlyRefresh(now)) {
        countDecoded(counts, keyRead)
        onLookup?.(keyRead.value === null ? 'negative' : 'far')
        return keyRead.value as V | null
      }
      const lookup = interpret(namespace, keyRead, now)
      count(counts, keyRead, lookup)
      onLookup?.(lookupSourceOf(lookup, keyRead))
      if (lookup.state === 'miss') missed.push(keyRead)
      else if (lookup.state !== 'negative' && this.needsRefill(keyRead, now)) toRefill.push(keyRead)
      return lookup.state === 'hit' || lookup.state === 'stale' ? lookup.value : null
    })
    if (toRefill.length > 0) this.readThrough.refill(namespace, toRefill, fetch)
    if (missed.length === 0) return found
    const fetched = await this.readThrough.resolveMisses({ namespace, fetch, cancellation }, missed)
    return found.map((value, index) => fetched.get(ids[index] as Id) ?? value)
  }

  /** Like getOrFetchMany, but uses neither the cache nor the fetches of other callers, fills nothing and counts no lookups. */
  async fetchMany<V, Id extends EntryId>(
    namespace: Namespace<V>,
    ids: readonly Id[],
    fetch: Fetch<Id, V>,
    { cancellation }: Pick<ReadOptions, 'cancellation'> = {},
  ): Promise<(V | null)[]> {
    const found = await this.readThrough.createSharedFetch({ namespace, fetch, cancellation }, ids).waitFor(cancellation)
    return ids.map((id) => found.get(id) ?? null)
  }

  /**
   * Fetches and fills missing entries in advance. Counts no lookups. Returns how many of the entries exist afterwards, including
   * negative entries.
   */
  async warmMany<V, Id extends EntryId>(namespace: Namespace<V>, ids: readonly Id[], fetch: Fetch<Id, V>): Promise<number> {
    const missed = await this.findMisses(namespace, ids)
    await Promise.all((await this.readThrough.resolveMisses({ namespace, fetch }, missed)).values())
    await this.readThrough.waitUntilIdle()
    const missedIds = missed.map(({ id }) => id)
    const stillMissing = await this.findMisses(namespace, missedIds)
    return ids.length - stillMissing.length
  }

  /**
   * Takes leases on missing entries, for callers that fetch the values themselves. The result has no lease for an id that is
   * cached or could not be leased.
   */
  async leaseMany<Id extends EntryId>(namespace: Namespace<unknown>, ids: readonly Id[]): Promise<Lease<Id>[]> {
    const claims = await this.entryWriter.claimMany(namespace, await this.findMisses(namespace, ids))
    return claims.flatMap((claim) => (claim.state === 'granted' ? [claim.lease] : []))
  }

  /**
   * Fills an entry; null is stored as a negative entry. Returns whether the fill landed, that is, whether the lease still
   * existed.
   */
  async fill<V>(namespace: Namespace<V>, lease: Lease, value: V | null): Promise<boolean> {
    return (await this.fillMany(namespace, [{ lease, value }])) === 1
  }

  /** Fills entries in one round trip. Returns how many fills landed: only those whose lease still existed. */
  fillMany<V>(namespace: Namespace<V>, fills: readonly { lease: Lease; value: V | null }[]): Promise<number> {
    return this.entryWriter.fillMany(namespace, fills, 0)
  }

  /**
   * Makes entries unreadable immediately, and prevents fetches in flight from filling them. Removes one key for each id or list,
   * or one key for a whole namespace. Returns false if the store did not confirm the removal; the store is then distrusted.
   */
  async invalidate(namespace: Namespace<unknown>, invalidation: Invalidation): Promise<boolean> {
    const keys = this.keys.invalidationKeys(namespace, invalidation)
    if (keys.length === 0) return true
    this.forget(keys)
    const confirmed = await this.guardedStore.force(namespace, (store) => store.removeMany(keys).then(() => true))
    // Forget the keys once more, because reads and fetches that began during the removal may have seen the old state.
    this.forget(keys)
    this.lastInvalidationRefusal = confirmed ? undefined : this.guardedStore.lastErrorReply
    if (confirmed) this.counters.add(namespace.name, 'invalidations', keys.length)
    else this.trust.distrust()
    return confirmed ?? false
  }

  /**
   * Lets the near store be used until `maxStalenessMs` after `asOf`, if the invalidation messages come from the trusted server.
   * If they come from a different server, reconnects the watch and distrusts the store.
   */
  private confirmNear(asOf: number, server: WatchedServer): void {
    if (this.trust.isTrustedServer(server)) this.near?.confirm(asOf)
    else if (this.trust.isProvenOtherServer(server, asOf)) {
      this.watch?.reconnect()
      this.trust.distrust()
    }
  }

  private forget(keys: readonly string[]): void {
    this.inFlightFetches.forget(keys)
    this.near?.remove(keys)
  }

  private forgetAll(): void {
    this.inFlightFetches.forgetAll()
    this.near?.clear()
  }

  private async findMisses<Id extends EntryId>(namespace: Namespace<unknown>, ids: readonly Id[]): Promise<KeyRead<Id>[]> {
    const keyReads = await this.keyReader.read(namespace, ids)
    return keyReads.filter((keyRead) => interpret(namespace, keyRead, this.now()).state === 'miss')
  }

  /** Whether an entry of the far store is stale or due for an early refresh. Draws a random number if it will soon be stale. */
  private needsRefill({ stored }: KeyRead<EntryId>, now: number): boolean {
    if (stored.state !== 'entry') return false
    return stored.header.softUntilMs <= now || isEarlyRefreshDue(stored.header, now, this.random)
  }
}

function count(counts: Counts, keyRead: KeyRead<EntryId>, lookup: StoredLookup<unknown>): void {
  if (lookup.state === 'miss') counts.misses += 1
  else counts.hits += 1
  if (lookup.state === 'negative' || (lookup.state === 'stale' && lookup.value === null)) counts.negativeHits += 1
  if (lookup.state === 'stale') counts.staleHits += 1
  if (lookup.corrupt) counts.corrupt += 1
  if (keyRead.stored.state === 'near') counts.nearHits += 1
}

/** Counts a hit of a decoded entry. On this fast path no lookup result is created. */
function countDecoded(counts: Counts, { value }: DecodedEntry): void {
  counts.hits += 1
  if (value === null) counts.negativeHits += 1
}

const trustRetryMs = 100
const trustLeaseRenewalIntervalMs = 250
