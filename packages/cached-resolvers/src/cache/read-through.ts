import type { Caller } from './caller.js'
import type { Counters } from './counters.js'
import type { Claim, Entries, Lease } from './entries.js'
import type { Flight, Flights } from './flights.js'
import { type Gate, OverloadedError } from './gate.js'
import type { EntryId, Fetch, Namespace } from './namespace.js'
import { SharedFetch } from './shared-fetch.js'
import { interpret, type Slot } from './slot.js'
import type { SlotReader } from './slot-reader.js'

export interface ReadThroughOptions {
  reader: SlotReader
  entries: Entries
  gate: Gate
  flights: Flights
  counters: Counters
  leaseMs: number
  leaseWaitMs: number
  now: () => number
  sleep: (ms: number) => Promise<void>
}

/** What somebody needs: values of this namespace, which are to be had by this fetch. */
export interface Need<Id extends EntryId, V> {
  namespace: Namespace<V>
  fetch: Fetch<Id, V>
  /** Who waits for them, if it may give up */
  caller?: Caller | undefined
}

type Values<Id, V> = Map<Id, Promise<V | null>>

/** Gets what a lookup did not find: by a fetch of its own, by one that is under way here, or by waiting for that of another process. */
export class ReadThrough {
  private readonly background = new Set<Promise<unknown>>()

  constructor(private readonly options: ReadThroughOptions) {}

  /** A promise for every slot; one call of `fetch` for all that nobody else is fetching. */
  obtain<V, Id extends EntryId>(need: Need<Id, V>, slots: readonly Slot<Id>[]): Promise<Values<Id, V>> {
    return this.obtainUntil(this.options.now() + this.options.leaseWaitMs, need, slots)
  }

  /** Fetches again, in the background, what goes on being served: one process at a time, landing only on the entry that was seen. */
  refill<V, Id extends EntryId>(namespace: Namespace<V>, slots: readonly Slot<Id>[], fetch: Fetch<Id, V>): void {
    this.inBackground(this.claimAndRefill(namespace, slots, fetch))
  }

  /** In its turn at the gate. Nothing is filled. */
  share<V, Id extends EntryId>(need: Need<Id, V>, ids: readonly Id[], after?: Promise<unknown>): SharedFetch<Id, V> {
    return new SharedFetch(async (signal, started) => {
      if (after !== undefined) await after
      return this.fetch(need, ids, signal, started)
    })
  }

  private async fetch<V, Id extends EntryId>(
    { namespace, fetch }: Need<Id, V>,
    ids: readonly Id[],
    signal?: AbortSignal,
    started?: () => void,
  ) {
    const start = () => {
      started?.()
      return fetch(ids, signal)
    }
    try {
      return await this.options.gate.run(start, signal)
    } catch (error) {
      if (error instanceof OverloadedError) this.options.counters.add(namespace.name, 'shed')
      throw error
    }
  }

  /** Ends when the fills under way have ended. */
  async idle(): Promise<void> {
    while (this.background.size > 0) await Promise.all(this.background)
  }

  private async obtainUntil<V, Id extends EntryId>(
    waitUntil: number,
    need: Need<Id, V>,
    slots: readonly Slot<Id>[],
  ): Promise<Values<Id, V>> {
    const { namespace, caller } = need
    if (caller?.gaveUp) throw caller.gaveUp
    const values: Values<Id, V> = new Map()
    const toFetch: Task<Id>[] = []
    const toFetchNext: Task<Id>[] = []
    const running: Promise<unknown>[] = []
    const toAwait: Slot<Id>[] = []
    for (const claim of await this.options.entries.claimMany(namespace, slots)) {
      const { slot } = claim
      const underWay = this.flightOf<V>(claim)
      if (claim.state === 'filled') values.set(slot.id, Promise.resolve(claim.value as V | null))
      else if (underWay !== undefined && claim.state === 'refused' && underWay.fetch.hasStarted) {
        toFetchNext.push({ slot, lease: null })
        running.push(underWay.fetch.found)
      } else if (underWay !== undefined) values.set(slot.id, valueIn(underWay.fetch.waitFor(caller), underWay.id))
      else if (claim.state === 'leased') toAwait.push(slot)
      else toFetch.push({ slot, lease: claim.state === 'granted' ? claim.lease : null })
      if (values.has(slot.id) && underWay !== undefined) this.options.counters.add(namespace.name, 'coalesced')
    }
    if (toFetch.length > 0) this.fetchAndFill(need, toFetch, values)
    // One at a time for each key, so that a hot key does not become an overload.
    if (toFetchNext.length > 0) this.fetchAndFill(need, toFetchNext, values, Promise.allSettled(running))
    if (toAwait.length > 0) this.awaitFills(waitUntil, need, toAwait, values)
    return values
  }

  private flightOf<V>(claim: Claim<EntryId>): Flight<V> | undefined {
    if (claim.state === 'leased') return this.options.flights.find(flightName(claim.by, claim.slot.generation))
    if (claim.state === 'refused') return this.options.flights.find(claim.slot.key)
    return undefined
  }

  private fetchAndFill<V, Id extends EntryId>(
    need: Need<Id, V>,
    tasks: readonly Task<Id>[],
    values: Values<Id, V>,
    after?: Promise<unknown>,
  ): void {
    const { namespace, caller } = need
    const startedAt = this.options.now()
    const fetch = this.share(
      need,
      tasks.map(({ slot }) => slot.id),
      after,
    )
    const waited = fetch.waitFor(caller)
    const leases = tasks.flatMap(({ lease }) => lease ?? [])
    const filled = fetch.found.then(
      (found) => this.options.entries.fillMany(namespace, toFills(leases, found), this.options.now() - startedAt),
      () => this.options.entries.release(namespace, leases),
    )
    this.inBackground(filled)
    if (leases.length > 0) this.keepUntil(fetch.found, namespace, leases)
    for (const { slot, lease } of tasks) {
      values.set(slot.id, valueIn(waited, slot.id))
      const name = lease ? flightName(lease.expected, lease.generation) : slot.key
      this.options.flights.add(name, { fetch, id: slot.id }, filled)
    }
  }

  /** Leases are short, so that those of a process that died end soon; a fetch may take longer. */
  private keepUntil(end: Promise<unknown>, namespace: Namespace<unknown>, leases: readonly Lease[]): void {
    let standing = leases
    const renew = async () => {
      standing = await this.options.entries.renewMany(namespace, standing)
    }
    const timer = setInterval(() => void renew(), this.options.leaseMs / 4).unref()
    const stop = () => clearInterval(timer)
    end.then(stop, stop)
  }

  private awaitFills<V, Id extends EntryId>(
    waitUntil: number,
    need: Need<Id, V>,
    slots: readonly Slot<Id>[],
    values: Values<Id, V>,
  ): void {
    this.options.counters.add(need.namespace.name, 'leaseWaits', slots.length)
    const settle = new Map<Id, (value: Promise<V | null>) => void>()
    for (const { id } of slots) values.set(id, new Promise((resolve) => settle.set(id, resolve)))
    const found = (id: Id, value: Promise<V | null>) => {
      settle.get(id)?.(value)
      settle.delete(id)
    }
    const polled = this.poll(waitUntil, need, slots, found)
    polled.catch((error) => {
      for (const id of [...settle.keys()]) found(id, Promise.reject(error))
    })
  }

  /** Reads again and again; what was vacated is obtained anew, what lasts too long is fetched without filling. */
  private async poll<V, Id extends EntryId>(
    waitUntil: number,
    need: Need<Id, V>,
    slots: readonly Slot<Id>[],
    found: (id: Id, value: Promise<V | null>) => void,
  ): Promise<void> {
    const { namespace, caller } = need
    let waiting = slots
    // Time is up only after a read: this process may have been stalled while others filled.
    for (let pauseMs = 5, isTimeUp = false; !isTimeUp; pauseMs = Math.min(2 * pauseMs, 40)) {
      await this.options.sleep(pauseMs)
      if (caller?.gaveUp) throw caller.gaveUp
      isTimeUp = this.options.now() >= waitUntil
      const seen = await this.options.reader.read(
        namespace,
        waiting.map(({ id }) => id),
      )
      waiting = seen.filter(({ held }) => held.state === 'leased')
      const vacated: Slot<Id>[] = []
      for (const slot of seen.filter(({ held }) => held.state !== 'leased')) {
        const lookup = interpret(namespace, slot, this.options.now())
        if (lookup.state === 'miss') vacated.push(slot)
        else found(slot.id, Promise.resolve(lookup.state === 'negative' ? null : lookup.value))
      }
      if (vacated.length > 0) {
        for (const [id, value] of await this.obtainUntil(waitUntil, need, vacated)) found(id, value)
      }
      if (waiting.length === 0) return
    }
    const late: Values<Id, V> = new Map()
    this.fetchAndFill(
      need,
      waiting.map((slot) => ({ slot, lease: null })),
      late,
    )
    for (const [id, value] of late) found(id, value)
  }

  private async claimAndRefill<V, Id extends EntryId>(namespace: Namespace<V>, slots: readonly Slot<Id>[], fetch: Fetch<Id, V>) {
    const leases = await this.options.entries.claimRefills(namespace, slots)
    if (leases.length === 0) return
    const startedAt = this.options.now()
    try {
      const found = await this.fetch(
        { namespace, fetch },
        leases.map(({ id }) => id),
      )
      await this.options.entries.fillMany(namespace, toFills(leases, found), this.options.now() - startedAt)
    } catch {
      // The stale value goes on being served; the next attempt is made when the lock has expired.
      this.options.counters.add(namespace.name, 'failedRefills', leases.length)
    }
  }

  private inBackground(work: Promise<unknown>): void {
    const done = work.catch(() => undefined).finally(() => this.background.delete(done))
    this.background.add(done)
  }
}

function valueIn<V, Id>(found: Promise<ReadonlyMap<Id, V>>, id: Id): Promise<V | null> {
  return found.then((values) => values.get(id) ?? null)
}

/** A lease alone does not tell: what invalidates a list or a namespace takes the generation away, and leaves the leases. */
function flightName(lease: string, generation: string | null): string {
  return `${lease} ${generation}`
}

interface Task<Id extends EntryId> {
  slot: Slot<Id>
  /** null: fetch without filling */
  lease: Lease<Id> | null
}

function toFills<V, Id extends EntryId>(leases: readonly Lease<Id>[], found: ReadonlyMap<Id, V>) {
  return leases.map((lease) => ({ lease, value: found.get(lease.id) ?? null }))
}
