import { setTimeout as sleep } from 'node:timers/promises'
import { Attempts } from './attempts.js'
import type { Caller } from './caller.js'
import { type ChangeSource, standalone } from './change-source.js'
import type { CountedEntries } from './counted-entries.js'
import { Counters, type Counts } from './counters.js'
import { Entries, type Lease } from './entries.js'
import type { EntryHeader } from './entry.js'
import { Flights } from './flights.js'
import { isEarly } from './freshness.js'
import { Gate, type GateLoad, type GateOptions } from './gate.js'
import { KeptEntry } from './kept-entry.js'
import { type KeyParts, Keys } from './key.js'
import type { EntryId, Fetch, Invalidation, Namespace } from './namespace.js'
import { NearStore, type NearStoreOptions } from './near-store.js'
import { ReadThrough } from './read-through.js'
import { interpret, type Lookup, type Origin, originOf, type Slot, type StoredLookup } from './slot.js'
import { SlotReader } from './slot-reader.js'
import type { CacheStore, StoreInfo, Watch, WatchedServer } from './store.js'
import { createTokenSource } from './token.js'
import { Trust } from './trust.js'

export interface CacheOptions {
  store: CacheStore
  /** Keys are `<prefix>:<version>:<namespace>:<id>`. */
  prefix: string
  /** 'v1' unless given */
  version?: string
  /** All that are used with this store: what they hold is given up when the server turns out to be another one. */
  namespaces: readonly Pick<Namespace<unknown>, 'name'>[]
  /** In front of the store, in this process; null for none. Only for a store that can be watched. 64 MB, 500 ms unless given */
  near?: Omit<NearStoreOptions, 'now' | 'random'> | null
  /** A lease is renewed while its fetch goes on; after the death of its process it lasts that long at most. 1,000 unless given */
  leaseMs?: number
  /** How long a caller waits for the fetch of another process before it fetches for itself, without filling. 1,000 unless given */
  leaseWaitMs?: number
  /** How many fetches may be under way and waiting. 20 for 10 s at most, 500 for 1 s unless given */
  fetches?: GateOptions
  createToken?: () => string
  /** Wall clock in milliseconds; entries carry it from process to process. */
  now?: () => number
  sleep?: (ms: number) => Promise<void>
  /** 0 to 1, for jitter and early refills */
  random?: () => number
  /** Says why the store is not used, and when it is used again. */
  log?: (message: string) => void
}

function withDefaults(options: CacheOptions): Required<CacheOptions> {
  return {
    version: 'v1',
    near: { maxBytes: 64 * 1024 * 1024, maxStalenessMs: 500 },
    ...{ leaseMs: 1_000, leaseWaitMs: 1_000 },
    fetches: { maxRunning: 20, maxRunMs: 10_000, maxWaiting: 500, maxWaitMs: 1_000 },
    ...{ createToken: createTokenSource(), now: Date.now, sleep, random: Math.random, log: () => {} },
    ...options,
  }
}

export interface ReadOptions {
  /** Is told of each lookup. */
  observe?: (origin: Origin) => void
  /** Without one, what is begun is seen through. */
  caller?: Caller | undefined
}

/**
 * Reads through a store. It never throws because of the store: while that is away or doubted every lookup is a miss and fills are
 * dropped. A fill never overwrites newer knowledge: it lands only where its lease still stands, and an invalidation removes that.
 */
export class Cache {
  private readonly store: CacheStore
  private readonly keys: Keys
  private readonly counters: Counters
  private readonly flights = new Flights()
  private readonly near: NearStore | null
  private readonly trust: Trust
  private readonly attempts: Attempts
  private readonly gate: Gate
  private readonly reader: SlotReader
  private readonly entries: Entries
  private readonly readThrough: ReadThrough
  private readonly now: () => number
  private readonly random: () => number
  private readonly markerKey: string
  private watch: Watch | undefined
  /** What the server said to the last invalidation, where it did not confirm it */
  private unconfirmed: string | undefined

  constructor(given: CacheOptions) {
    const options = withDefaults(given)
    const { store, now, sleep, random, createToken, log } = options
    this.store = store
    this.now = now
    this.random = random
    const keys = new Keys(options.prefix, options.version)
    this.keys = keys
    this.markerKey = keys.marker(options.namespaces.map(({ name }) => name))
    this.counters = new Counters(store, keys.counters(), createToken)
    this.near = options.near && store.watch ? new NearStore({ ...options.near, random, now: () => performance.now() }) : null
    this.trust = new Trust({
      ...{ store, sleep, retryMs: distrustRetryMs, reportMs: trustReportMs, now: () => performance.now() },
      markerKey: this.markerKey,
      generationKeys: options.namespaces.map((namespace) => keys.namespaceGeneration(namespace)),
      log,
    })
    this.attempts = new Attempts(store, this.counters, this.trust, log)
    const shared = { ...options, keys, counters: this.counters, near: this.near, attempts: this.attempts }
    this.reader = new SlotReader(shared)
    this.entries = new Entries(shared)
    this.gate = new Gate(options.fetches)
    this.readThrough = new ReadThrough({
      ...shared,
      reader: this.reader,
      entries: this.entries,
      flights: this.flights,
      gate: this.gate,
    })
  }

  get backend(): CacheStore['backend'] {
    return this.store.backend
  }

  /** Whether what the store holds is believed: it can be reached, and all that was owed to it has been delivered. */
  get trusted(): boolean {
    return this.trust.isTrusted
  }

  /** What keeps the store from being trusted; means nothing while it is. */
  get distrustReason(): string {
    const { unconfirmed, trust } = this
    return unconfirmed === undefined || unconfirmed === trust.reason ? trust.reason : `${trust.reason} (${unconfirmed})`
  }

  /** Under which the source owes invalidations to the store; undefined while that is not trusted. */
  get registration(): string | undefined {
    return this.trust.registration
  }

  /** What is confirmed in another epoch may be confirmed by another server (see Trust). */
  get epoch(): number {
    return this.trust.epoch
  }

  /**
   * Resolves whether or not the store is there. `source` says which stores are in use, and delivers what is owed to this one; whenever that
   * could not be reached, for however short a time, it is not trusted before it has been caught up with.
   */
  async connect(source: Partial<ChangeSource> = {}): Promise<void> {
    const { trust } = this
    await this.store.connect()
    this.watch = this.store.watch?.({
      markerKey: this.markerKey,
      get registration() {
        return trust.registration
      },
      leaseMs: this.near?.maxStalenessMs ?? null,
      removed: (keys) => this.forget(keys),
      missed: () => this.forgetAll(),
      lost: () => {
        this.forgetAll()
        this.trust.distrust()
      },
      upToDate: (asOf, server) => this.confirmNear(asOf, server),
      now: () => performance.now(),
    })
    await this.trust.start({ ...standalone, ...source })
  }

  /** Waits for the fills under way and saves the counts. */
  async close(): Promise<void> {
    await this.readThrough.idle()
    await this.flushCounts()
    await this.trust.end()
    this.watch?.stop()
    await this.store.close()
  }

  /** Round trip to the store in milliseconds. Rejects with StoreUnavailableError. */
  ping(): Promise<number> {
    return this.store.ping()
  }

  /** What the store says of itself. Rejects with StoreUnavailableError. */
  info(): Promise<StoreInfo> {
    return this.store.info()
  }

  /** Counts by name of namespace, summed over all processes that share the store, this one up to now. */
  counts(namespaces: readonly string[]): Promise<Map<string, Counts>> {
    return this.counters.read(namespaces)
  }

  /** What this process alone counted since it began */
  ownCounts(namespace: Pick<Namespace<unknown>, 'name'>): Counts {
    return this.counters.own(namespace.name)
  }

  /** Whether the store is asked at all; it is not while it did not answer again and again. */
  get answering(): boolean {
    return this.store.answering
  }

  /** Fetches of this process that are under way, and that wait */
  get fetches(): GateLoad {
    return this.gate.load
  }

  /** Of the near store, estimated */
  get nearBytes(): number {
    return this.near?.bytes ?? 0
  }

  /** Carries the counts of this process to the store; while that is away they wait. */
  async flushCounts(): Promise<void> {
    await this.counters.flush().catch(() => undefined)
  }

  async read<V>(namespace: Namespace<V>, id: EntryId): Promise<Lookup<V>> {
    const [lookup] = await this.readMany(namespace, [id])
    return lookup as Lookup<V>
  }

  /** One round trip, whatever the number of ids. Answers in the order asked. */
  async readMany<V>(namespace: Namespace<V>, ids: readonly EntryId[]): Promise<Lookup<V>[]> {
    const slots = await this.reader.read(namespace, ids)
    const now = this.now()
    const counts = this.counters.of(namespace.name)
    return slots.map((slot) => {
      const lookup = interpret(namespace, slot, now)
      count(counts, slot, lookup)
      return lookup
    })
  }

  /** As readMany, but not a lookup: nothing is counted. */
  async peekMany<V>(namespace: Namespace<V>, ids: readonly EntryId[]): Promise<Lookup<V>[]> {
    const slots = await this.reader.read(namespace, ids)
    return slots.map((slot) => interpret(namespace, slot, this.now()))
  }

  /** What the store holds, at random: names of namespaces, with ids or lists. Rejects when the store does. */
  async sample(count: number): Promise<KeyParts[]> {
    return (await this.store.sampleKeys(count)).flatMap((key) => this.keys.parse(key) ?? [])
  }

  /** For who compared entries with the truth: so many, and so many of them were wrong. */
  countAudit(namespace: Namespace<unknown>, audited: number, wrong: number): void {
    this.counters.add(namespace.name, 'audited', audited)
    this.counters.add(namespace.name, 'wrong', wrong)
  }

  /** Not a lookup: nothing is counted. */
  async has(namespace: Namespace<unknown>, id: EntryId): Promise<boolean> {
    return (await this.remainingTtlMs(namespace, id)) !== null
  }

  /** How long the value still counts as fresh, 0 once it is stale, null where there is none. Nothing is counted. */
  async remainingTtlMs(namespace: Namespace<unknown>, id: EntryId): Promise<number | null> {
    const [slot] = await this.reader.read(namespace, [id])
    const lookup = interpret(namespace, slot as Slot<EntryId>, this.now())
    if (lookup.state === 'miss' || lookup.state === 'negative' || lookup.value === null) return null
    return lookup.header ? Math.max(0, lookup.header.softUntilMs - this.now()) : null
  }

  /**
   * A value that this process holds, without a promise; null where it is known not to exist, undefined where the store has to be asked. It
   * is shared: nobody may change it. An entry counts as a hit where it is not among `counted`, and is then.
   */
  readNear<V>(namespace: Namespace<V>, id: EntryId, counted: CountedEntries): V | null | undefined {
    const entry = this.reader.findNear(namespace, id)
    if (entry?.value === undefined) return undefined
    const now = this.now()
    if (!entry.isSurelyFresh(now) && !this.isFresh(entry.held.header, now)) return undefined
    if (counted.add(entry)) {
      const counts = this.counters.of(namespace.name)
      countKept(counts, entry)
      counts.nearHits += 1
    }
    return entry.value as V | null
  }

  async getOrFetch<V, Id extends EntryId>(namespace: Namespace<V>, id: Id, fetch: Fetch<Id, V>): Promise<V | null> {
    const [value] = await this.getOrFetchMany(namespace, [id], fetch)
    return value as V | null
  }

  /**
   * Reads all, fetches what is missing with one call, fills it, and answers in the order asked; null where there is no such value.
   * The ids must differ. What somebody else is fetching is answered by a promise, so that it does not hold up the others.
   * A fetch that fails rejects the values that needed it, and no others; so does a caller that gives up. A fetch that all of its
   * callers have given up is aborted.
   */
  async getOrFetchMany<V, Id extends EntryId>(
    namespace: Namespace<V>,
    ids: readonly Id[],
    fetch: Fetch<Id, V>,
    { observe, caller }: ReadOptions = {},
  ): Promise<(V | null | Promise<V | null>)[]> {
    const slots = await this.reader.read(namespace, ids)
    const due: Slot<Id>[] = []
    const missed: Slot<Id>[] = []
    const now = this.now()
    const counts = this.counters.of(namespace.name)
    const found = slots.map((slot) => {
      if (slot instanceof KeptEntry && slot.isSurelyFresh(now) && slot.value !== undefined) {
        countKept(counts, slot)
        observe?.(slot.value === null ? 'negative' : 'far')
        return slot.value as V | null
      }
      const lookup = interpret(namespace, slot, now)
      count(counts, slot, lookup)
      observe?.(originOf(lookup, slot.near))
      if (lookup.state === 'miss') missed.push(slot)
      else if (this.isDue(lookup, now)) due.push(slot)
      return lookup.state === 'hit' || lookup.state === 'stale' ? lookup.value : null
    })
    if (due.length > 0) this.readThrough.refill(namespace, due, fetch)
    if (missed.length === 0) return found
    const fetched = await this.readThrough.obtain({ namespace, fetch, caller }, missed)
    return found.map((value, index) => fetched.get(ids[index] as Id) ?? value)
  }

  /** As getOrFetchMany, but neither the cache nor the fetches of others are used, and nothing is filled or counted. */
  async fetchMany<V, Id extends EntryId>(
    namespace: Namespace<V>,
    ids: readonly Id[],
    fetch: Fetch<Id, V>,
    { caller }: Pick<ReadOptions, 'caller'> = {},
  ): Promise<(V | null)[]> {
    const found = await this.readThrough.share({ namespace, fetch, caller }, ids).waitFor(caller)
    return ids.map((id) => found.get(id) ?? null)
  }

  /** Fills what is missing, ahead of any lookup: nothing counts as hit or miss. Answers how many of the entries are there then. */
  async warmMany<V, Id extends EntryId>(namespace: Namespace<V>, ids: readonly Id[], fetch: Fetch<Id, V>): Promise<number> {
    const missed = await this.missing(namespace, ids)
    await Promise.all((await this.readThrough.obtain({ namespace, fetch }, missed)).values())
    await this.readThrough.idle()
    return (
      ids.length -
      (
        await this.missing(
          namespace,
          missed.map(({ id }) => id),
        )
      ).length
    )
  }

  /** Takes leases where nothing is held, for callers that fetch by themselves. Those absent from the answer were not to be had. */
  async leaseMany<Id extends EntryId>(namespace: Namespace<unknown>, ids: readonly Id[]): Promise<Lease<Id>[]> {
    const claims = await this.entries.claimMany(namespace, await this.missing(namespace, ids))
    return claims.flatMap((claim) => (claim.state === 'granted' ? [claim.lease] : []))
  }

  /** Answers whether the value landed; null is stored as a negative entry. */
  async fill<V>(namespace: Namespace<V>, lease: Lease, value: V | null): Promise<boolean> {
    return (await this.fillMany(namespace, [{ lease, value }])) === 1
  }

  /** One round trip. Answers how many of the values landed: those whose lease still stood. */
  fillMany<V>(namespace: Namespace<V>, fills: readonly { lease: Lease; value: V | null }[]): Promise<number> {
    return this.entries.fillMany(namespace, fills, 0)
  }

  /**
   * Makes entries unreadable at once, and fetches under way unable to fill them. One key goes for each id or list, one for a
   * whole namespace. Answers false where the store did not confirm it.
   */
  async invalidate(namespace: Namespace<unknown>, what: Invalidation): Promise<boolean> {
    const keys = this.keys.invalidated(namespace, what)
    if (keys.length === 0) return true
    this.forget(keys)
    const confirmed = await this.attempts.force(namespace, (store) => store.removeMany(keys).then(() => true))
    // Once more: what began during the removal may have seen either.
    this.forget(keys)
    this.unconfirmed = confirmed ? undefined : this.attempts.refusal
    if (confirmed) this.counters.add(namespace.name, 'invalidations', keys.length)
    else this.trust.distrust()
    return confirmed ?? false
  }

  /** What is near is right as long as removals are announced by the server that is trusted. */
  private confirmNear(asOf: number, server: WatchedServer): void {
    if (this.trust.isTrustedServer(server)) this.near?.confirm(asOf)
    else if (this.trust.isOtherServer(server, asOf)) {
      this.watch?.reopen()
      this.trust.distrust()
    }
  }

  private forget(keys: readonly string[]): void {
    this.flights.disown(keys)
    this.near?.remove(keys)
  }

  private forgetAll(): void {
    this.flights.disownAll()
    this.near?.clear()
  }

  private async missing<Id extends EntryId>(namespace: Namespace<unknown>, ids: readonly Id[]): Promise<Slot<Id>[]> {
    const slots = await this.reader.read(namespace, ids)
    return slots.filter((slot) => interpret(namespace, slot, this.now()).state === 'miss')
  }

  private isDue({ state, header }: StoredLookup<unknown>, now: number): boolean {
    return state === 'stale' || (state === 'hit' && header !== undefined && isEarly(header, now, this.random))
  }

  private isFresh(header: EntryHeader, now: number): boolean {
    return now < header.softUntilMs && !isEarly(header, now, this.random)
  }
}

/** One lookup counts once. */
function count(counts: Counts, slot: Slot<EntryId>, lookup: StoredLookup<unknown>): void {
  if (lookup.state === 'miss') counts.misses += 1
  else counts.hits += 1
  if (lookup.state === 'negative' || (lookup.state === 'stale' && lookup.value === null)) counts.negativeHits += 1
  if (lookup.state === 'stale') counts.staleHits += 1
  if (lookup.corrupt) counts.corrupt += 1
  if (slot.near) counts.nearHits += 1
}

/** The same for a hit of an entry that is kept, for which there is no lookup */
function countKept(counts: Counts, { value }: KeptEntry): void {
  counts.hits += 1
  if (value === null) counts.negativeHits += 1
}

const distrustRetryMs = 100
const trustReportMs = 250
