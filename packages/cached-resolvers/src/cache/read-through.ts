import type { Cancellation } from './cancellation.js'
import type { Counters } from './counters.js'
import type { Claim, EntryWriter, Lease } from './entry-writer.js'
import { type FetchLimiter, OverloadedError } from './fetch-limiter.js'
import type { InFlightFetch, InFlightFetches } from './in-flight-fetches.js'
import { interpret, type KeyRead } from './key-read.js'
import type { KeyReader } from './key-reader.js'
import type { EntryId, Fetch, Namespace } from './namespace.js'
import { SharedFetch } from './shared-fetch.js'

export interface ReadThroughOptions {
  keyReader: KeyReader
  entryWriter: EntryWriter
  fetchLimiter: FetchLimiter
  inFlightFetches: InFlightFetches
  counters: Counters
  leaseMs: number
  leaseWaitMs: number
  now: () => number
  sleep: (ms: number) => Promise<void>
}

/** How to fetch missing values: their namespace, the fetch, and the caller's cancellation. */
export interface MissRequest<Id extends EntryId, V> {
  namespace: Namespace<V>
  fetch: Fetch<Id, V>
  cancellation?: Cancellation | undefined
}

type Values<Id, V> = Map<Id, Promise<V | null>>

/**
 * Resolves misses: by starting a fetch, by joining a fetch in flight in this process, or by waiting until another process has
 * filled the entry.
 */
export class ReadThrough {
  private readonly background = new Set<Promise<unknown>>()

  constructor(private readonly options: ReadThroughOptions) {}

  /**
   * Resolves to a map with a promise for every id. An id that another caller in this process is already fetching joins that fetch,
   * unless the fetch may return a value older than this read (see InFlightFetches). Such ids are fetched in a batch of their own, after
   * those fetches have ended. Ids that another process has leased wait for its fill. All other ids are fetched in one batch.
   */
  resolveMisses<V, Id extends EntryId>(request: MissRequest<Id, V>, keyReads: readonly KeyRead<Id>[]): Promise<Values<Id, V>> {
    return this.resolveMissesUntil(this.options.now() + this.options.leaseWaitMs, request, keyReads)
  }

  /**
   * Refills entries in the background while they are still served. Only one process refills an entry at a time. Its fill lands
   * only if the store still holds the entry that was read.
   */
  refill<V, Id extends EntryId>(namespace: Namespace<V>, keyReads: readonly KeyRead<Id>[], fetch: Fetch<Id, V>): void {
    this.runInBackground(this.claimAndRefill(namespace, keyReads, fetch))
  }

  /** Creates a fetch that first waits for `after`, then for a slot of the fetch limiter. The fetch does not fill the cache. */
  createSharedFetch<V, Id extends EntryId>(
    request: MissRequest<Id, V>,
    ids: readonly Id[],
    after?: Promise<unknown>,
  ): SharedFetch<Id, V> {
    return new SharedFetch(async (signal, markStarted) => {
      if (after !== undefined) await after
      return this.fetch(request, ids, signal, markStarted)
    })
  }

  private async fetch<V, Id extends EntryId>(
    { namespace, fetch }: MissRequest<Id, V>,
    ids: readonly Id[],
    signal?: AbortSignal,
    markStarted?: () => void,
  ) {
    const start = () => {
      markStarted?.()
      return fetch(ids, signal)
    }
    try {
      return await this.options.fetchLimiter.run(start, signal)
    } catch (error) {
      if (error instanceof OverloadedError) this.options.counters.add(namespace.name, 'shed')
      throw error
    }
  }

  /** Resolves when no fill or refill is in progress. */
  async waitUntilIdle(): Promise<void> {
    while (this.background.size > 0) await Promise.all(this.background)
  }

  private async resolveMissesUntil<V, Id extends EntryId>(
    waitUntil: number,
    request: MissRequest<Id, V>,
    keyReads: readonly KeyRead<Id>[],
  ): Promise<Values<Id, V>> {
    const { namespace, cancellation } = request
    if (cancellation?.reason) throw cancellation.reason
    const values: Values<Id, V> = new Map()
    const toFetch: FetchTask<Id>[] = []
    const toFetchNext: FetchTask<Id>[] = []
    const running: Promise<unknown>[] = []
    const leasedElsewhere: KeyRead<Id>[] = []
    for (const claim of await this.options.entryWriter.claimMany(namespace, keyReads)) {
      const { keyRead } = claim
      const inFlight = this.inFlightFetchOf<V>(claim)
      if (claim.state === 'filled') values.set(keyRead.id, Promise.resolve(claim.value as V | null))
      else if (inFlight !== undefined && claim.state === 'notGranted' && inFlight.fetch.hasStarted) {
        // Without a lease, nothing shows whether the key was invalidated after the fetch in flight queried the source of truth,
        // so the result of this fetch may be older than this read.
        toFetchNext.push({ keyRead, lease: null })
        running.push(inFlight.fetch.getResult())
      } else if (inFlight !== undefined) values.set(keyRead.id, valueIn(inFlight.fetch.waitFor(cancellation), inFlight.id))
      else if (claim.state === 'leased') leasedElsewhere.push(keyRead)
      else toFetch.push({ keyRead, lease: claim.state === 'granted' ? claim.lease : null })
      if (values.has(keyRead.id) && inFlight !== undefined) this.options.counters.add(namespace.name, 'coalesced')
    }
    if (toFetch.length > 0) this.fetchAndFill(request, toFetch, values)
    // Fetches of the same key run one after another, so that a hot key does not overload the source of truth.
    if (toFetchNext.length > 0) this.fetchAndFill(request, toFetchNext, values, Promise.allSettled(running))
    if (leasedElsewhere.length > 0) this.pollForFills(waitUntil, request, leasedElsewhere, values)
    return values
  }

  private inFlightFetchOf<V>(claim: Claim<EntryId>): InFlightFetch<V> | undefined {
    if (claim.state === 'leased') return this.options.inFlightFetches.find(inFlightName(claim.lease, claim.keyRead.generation))
    if (claim.state === 'notGranted') return this.options.inFlightFetches.find(claim.keyRead.key)
    return undefined
  }

  private fetchAndFill<V, Id extends EntryId>(
    request: MissRequest<Id, V>,
    tasks: readonly FetchTask<Id>[],
    values: Values<Id, V>,
    after?: Promise<unknown>,
  ): void {
    const { namespace, cancellation } = request
    const startedAt = this.options.now()
    const fetch = this.createSharedFetch(
      request,
      tasks.map(({ keyRead }) => keyRead.id),
      after,
    )
    const fetched = fetch.waitFor(cancellation)
    const leases = tasks.flatMap(({ lease }) => lease ?? [])
    const filled = fetch.getResult().then(
      (found) => this.options.entryWriter.fillMany(namespace, toFills(leases, found), this.options.now() - startedAt),
      () => this.options.entryWriter.release(namespace, leases),
    )
    this.runInBackground(filled)
    if (leases.length > 0) this.renewLeasesUntil(fetch.getResult(), namespace, leases)
    for (const { keyRead, lease } of tasks) {
      values.set(keyRead.id, valueIn(fetched, keyRead.id))
      const name = lease ? inFlightName(lease.expected, lease.generation) : keyRead.key
      this.options.inFlightFetches.add(name, { fetch, id: keyRead.id }, filled)
    }
  }

  /**
   * Renews the leases until `end` settles, because a fetch may take longer than a lease. Leases are short, so that the leases of
   * a process that died expire soon.
   */
  private renewLeasesUntil(end: Promise<unknown>, namespace: Namespace<unknown>, leases: readonly Lease[]): void {
    let remaining = leases
    const renew = async () => {
      remaining = await this.options.entryWriter.renewMany(namespace, remaining)
    }
    const timer = setInterval(() => void renew(), this.options.leaseMs / 4).unref()
    const stopRenewing = () => clearInterval(timer)
    end.then(stopRenewing, stopRenewing)
  }

  private pollForFills<V, Id extends EntryId>(
    waitUntil: number,
    request: MissRequest<Id, V>,
    keyReads: readonly KeyRead<Id>[],
    values: Values<Id, V>,
  ): void {
    this.options.counters.add(request.namespace.name, 'leaseWaits', keyReads.length)
    const settle = new Map<Id, (value: Promise<V | null>) => void>()
    for (const { id } of keyReads) values.set(id, new Promise((resolve) => settle.set(id, resolve)))
    const onValue = (id: Id, value: Promise<V | null>) => {
      settle.get(id)?.(value)
      settle.delete(id)
    }
    const polling = this.poll(waitUntil, request, keyReads, onValue)
    polling.catch((error) => {
      for (const id of [...settle.keys()]) onValue(id, Promise.reject(error))
    })
  }

  /**
   * Polls until the leased entries are filled. If a lease ends without a valid entry, the key is resolved as a miss again.
   * Entries that are still leased at `waitUntil` are fetched, and the fetched values are not filled.
   */
  private async poll<V, Id extends EntryId>(
    waitUntil: number,
    request: MissRequest<Id, V>,
    keyReads: readonly KeyRead<Id>[],
    onValue: (id: Id, value: Promise<V | null>) => void,
  ): Promise<void> {
    const { namespace, cancellation } = request
    let waiting = keyReads
    // Time out only after one more read, because this process may have been stalled while other processes filled the entries.
    for (let pauseMs = 5, isTimedOut = false; !isTimedOut; pauseMs = Math.min(2 * pauseMs, 40)) {
      await this.options.sleep(pauseMs)
      if (cancellation?.reason) throw cancellation.reason
      isTimedOut = this.options.now() >= waitUntil
      const current = await this.options.keyReader.read(
        namespace,
        waiting.map(({ id }) => id),
      )
      waiting = current.filter(({ stored }) => stored.state === 'leased')
      const missed: KeyRead<Id>[] = []
      for (const keyRead of current.filter(({ stored }) => stored.state !== 'leased')) {
        const lookup = interpret(namespace, keyRead, this.options.now())
        if (lookup.state === 'miss') missed.push(keyRead)
        else onValue(keyRead.id, Promise.resolve(lookup.state === 'negative' ? null : lookup.value))
      }
      if (missed.length > 0) {
        for (const [id, value] of await this.resolveMissesUntil(waitUntil, request, missed)) onValue(id, value)
      }
      if (waiting.length === 0) return
    }
    const values: Values<Id, V> = new Map()
    this.fetchAndFill(
      request,
      waiting.map((keyRead) => ({ keyRead, lease: null })),
      values,
    )
    for (const [id, value] of values) onValue(id, value)
  }

  private async claimAndRefill<V, Id extends EntryId>(
    namespace: Namespace<V>,
    keyReads: readonly KeyRead<Id>[],
    fetch: Fetch<Id, V>,
  ) {
    const leases = await this.options.entryWriter.claimRefills(namespace, keyReads)
    if (leases.length === 0) return
    const startedAt = this.options.now()
    try {
      const found = await this.fetch(
        { namespace, fetch },
        leases.map(({ id }) => id),
      )
      await this.options.entryWriter.fillMany(namespace, toFills(leases, found), this.options.now() - startedAt)
    } catch {
      // The old value is still served. The right to refill is not given back: another refill is possible once it has expired.
      this.options.counters.add(namespace.name, 'failedRefills', leases.length)
    }
  }

  private runInBackground(work: Promise<unknown>): void {
    const done = work.catch(() => undefined).finally(() => this.background.delete(done))
    this.background.add(done)
  }
}

function valueIn<V, Id>(found: Promise<ReadonlyMap<Id, V>>, id: Id): Promise<V | null> {
  return found.then((values) => values.get(id) ?? null)
}

/**
 * Returns the name of a fetch with a lease (see InFlightFetches). The lease alone does not suffice, because the invalidation of a
 * list or a namespace removes the generation but leaves the leases in place.
 */
function inFlightName(lease: string, generation: string | null): string {
  return `${lease} ${generation}`
}

interface FetchTask<Id extends EntryId> {
  keyRead: KeyRead<Id>
  /** null if the fetched value is not filled into the cache */
  lease: Lease<Id> | null
}

function toFills<V, Id extends EntryId>(leases: readonly Lease<Id>[], found: ReadonlyMap<Id, V>) {
  return leases.map((lease) => ({ lease, value: found.get(lease.id) ?? null }))
}
