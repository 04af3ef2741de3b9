import type { Counters } from './counters.js'
import { decodeStored, encodeEntry, encodeLease, leaseMark } from './entry.js'
import type { GuardedStore } from './guarded-store.js'
import type { Keys } from './key.js'
import { type Generation, interpret, joinGenerations, type KeyRead } from './key-read.js'
import type { EntryId, Namespace } from './namespace.js'
import type { NearStore } from './near-store.js'
import type { Swap, SwapAnswer } from './store.js'

/**
 * The right to fill one entry. It ends when the entry is invalidated by its id, or when the lease expires. After the invalidation of the
 * list or the namespace, a fill still lands, but in a generation that no longer exists, so that it is never read.
 */
export interface Lease<Id extends EntryId = EntryId> {
  readonly id: Id
  readonly key: string
  /** The generations of the entry, joined (see joinGenerations) */
  readonly generation: string
  /**
   * The stored text must still begin with this prefix when the fill arrives. It is the text of the lease or, for a refill, the
   * unique prefix of the entry that was read.
   */
  readonly expected: string
}

/**
 * The result of requesting a lease on a key:
 * - granted: this process holds the lease
 * - leased: another fetch, of this process or a different one, holds `lease`
 * - filled: an entry was written after the key was read
 * - notGranted: the store did not answer, a generation could not be created, or the text stored under the key has changed since
 *   it was read, and is now neither a lease nor a valid entry
 */
export type Claim<Id extends EntryId> = { keyRead: KeyRead<Id> } & (
  | { state: 'granted'; lease: Lease<Id> }
  | { state: 'leased'; lease: string }
  | { state: 'filled'; value: unknown }
  | { state: 'notGranted' }
)

export interface EntryWriterOptions {
  guardedStore: GuardedStore
  keys: Keys
  near: NearStore | null
  counters: Counters
  leaseMs: number
  createToken: () => string
  now: () => number
  random: () => number
}

/**
 * Takes leases and fills entries in the store. Never rejects: a lease that the store does not confirm counts as not granted, and
 * a fill that the store does not confirm counts as not landed.
 */
export class EntryWriter {
  private readonly abandonedLeases: Pick<Lease, 'key' | 'expected'>[] = []

  constructor(private readonly options: EntryWriterOptions) {}

  /**
   * Requests a lease on each key, and returns a claim for each key, in the same order. Also creates missing generations. Takes one
   * round trip. Requests no lease on a key whose read failed or found the lease of another fetch.
   */
  async claimMany<Id extends EntryId>(namespace: Namespace<unknown>, keyReads: readonly KeyRead<Id>[]): Promise<Claim<Id>[]> {
    const claimable = keyReads.filter(({ stored }) => stored.state !== 'leased' && stored.state !== 'unavailable')
    const missing = missingGenerations(claimable)
    const generationSwaps = missing.map((generation) => this.generationSwap(namespace, generation))
    const leaseSwaps = claimable.map((keyRead) => this.leaseSwap(keyRead))
    const answers = await this.swapTrackingLeases(namespace, [...generationSwaps, ...leaseSwaps])
    const generationTexts = new Map(generationSwaps.map((swap, index) => [swap.key, textAfter(swap, answers?.[index])]))
    const claims = new Map<KeyRead<Id>, Claim<Id>>()
    for (const [index, keyRead] of claimable.entries()) {
      const generations = keyRead.generations.map(({ key, text }) => ({
        key,
        text: generationTexts.has(key) ? (generationTexts.get(key) ?? null) : text,
      }))
      const answer = answers?.[generationSwaps.length + index]
      const claimed = { ...keyRead, generations, generation: joinGenerations(generations) }
      claims.set(keyRead, this.toClaim(namespace, claimed, leaseSwaps[index] as Swap, answer))
    }
    return keyReads.map((keyRead) => claims.get(keyRead) ?? claimWithoutSwap(keyRead))
  }

  /**
   * Takes the right to refill entries that are stale (soft TTL over, served until the grace period ends) or due for an early
   * refresh. Returns a lease for each entry whose right was granted. Only one process per entry gets this right, and its fill lands
   * only if the store still holds the entry that was read.
   */
  async claimRefills<Id extends EntryId>(namespace: Namespace<unknown>, keyReads: readonly KeyRead<Id>[]): Promise<Lease<Id>[]> {
    const locks = keyReads.map((keyRead) => this.refillLock(keyRead))
    const answers = await this.swapTrackingLeases(namespace, locks)
    const leases = keyReads.flatMap(({ id, key, generation, stored }, index) => {
      if (!answers?.[index]?.swapped || stored.state !== 'entry') return []
      // `generation` is null if any generation is missing or damaged. An entry may depend on the first ones only (see
      // ListEntryId.relevantDependencyCount). If those are intact, it is still served, and is refilled in the generations in which it
      // was filled.
      return [{ id, key, generation: generation ?? stored.header.generation, expected: stored.uniquePrefix }]
    })
    if (leases.length === 0) return []
    const texts = await this.options.guardedStore.run(namespace, (store) => store.readMany(leases.map(({ key }) => key)))
    const isUnchanged = ({ expected }: Lease, index: number) => texts?.[index]?.startsWith(expected) ?? false
    // Keys that no longer hold the entry that was read, usually because another process has refilled it. They are dropped from the near
    // store, so that their next reads go to the far store. If the store did not answer, these are all keys.
    const changed = leases.filter((lease, index) => !isUnchanged(lease, index))
    this.options.near?.remove(changed.map(({ key }) => key))
    return leases.filter(isUnchanged)
  }

  /** Fills entries in one round trip. Returns how many fills landed: only those whose lease still existed. */
  async fillMany<V>(
    namespace: Namespace<V>,
    fills: readonly { lease: Lease; value: V | null }[],
    fetchMs: number,
  ): Promise<number> {
    const sent = fills.map(({ lease, value }): SentFill => {
      const countBefore = this.options.near?.removalCount(lease.key) ?? 0
      return { lease, swap: this.fillOrReleaseSwap(namespace, lease, value, fetchMs), countBefore }
    })
    const answers = await this.swapTrackingLeases(
      namespace,
      sent.map(({ swap }) => swap),
    )
    // A swap that only released a lease is not a fill.
    const landed = sent.filter(({ lease, swap }, index) => answers?.[index]?.swapped && swap.value !== lease.expected)
    this.keepNear(namespace, landed)
    this.options.counters.add(namespace.name, 'fills', landed.length)
    return landed.length
  }

  /**
   * Puts fills that landed into the near store, unless a removal of the key has arrived since the fill was sent: the removal may be
   * later than the fill. A read of one of these keys that is still in progress may return what the fill replaced. near.remove() changes the
   * removal count of the key, so that the result of such a read is not kept.
   */
  private keepNear(namespace: Namespace<unknown>, landed: readonly SentFill[]): void {
    const { near } = this.options
    if (!near) return
    const unremoved = landed.filter(({ lease, countBefore }) => near.removalCount(lease.key) === countBefore)
    near.remove(landed.map(({ lease }) => lease.key))
    for (const { lease, swap } of unremoved) {
      const stored = decodeStored(swap.value, lease.generation)
      if (stored.state === 'entry') near.putEntry(namespace.name, lease, stored, near.removalCount(lease.key))
    }
  }

  /**
   * Extends leases to their full duration, in one round trip. Returns the leases that still exist, or all leases if the store
   * does not answer. Not for leases from claimRefills(): their `expected` is only the prefix of the entry that was read, and would
   * replace the whole entry.
   */
  async renewMany(namespace: Namespace<unknown>, leases: readonly Lease[]): Promise<readonly Lease[]> {
    if (leases.length === 0) return []
    // Does not use swapTrackingLeases(): after a renewal without an answer, the fetch still runs, so its lease is not abandoned.
    const answers = await this.options.guardedStore.run(namespace, (store) =>
      store.swapMany(leases.map((lease) => renewSwap(lease, this.options.leaseMs))),
    )
    return leases.filter((_, index) => answers?.[index]?.swapped ?? true)
  }

  /**
   * Ends the leases that still exist, so that other callers can take leases immediately. Not for leases from claimRefills(): the
   * entry itself would expire.
   */
  async release(namespace: Namespace<unknown>, leases: readonly Lease[]): Promise<void> {
    await this.swapTrackingLeases(namespace, leases.map(releaseSwap))
  }

  /** Swaps in the store, and keeps track of abandoned leases (see rememberAbandonedLeases). */
  private async swapTrackingLeases(namespace: Namespace<unknown>, swaps: readonly Swap[]): Promise<SwapAnswer[] | undefined> {
    if (swaps.length === 0) return []
    const answers = await this.options.guardedStore.run(namespace, (store) => store.swapMany(swaps))
    if (answers) this.releaseAbandonedLeases(namespace)
    else this.rememberAbandonedLeases(swaps)
    return answers
  }

  /**
   * Remembers leases that the store may hold although no fetch will fill their entries. The store may have granted a lease
   * without the answer arriving in time, and a fill that failed leaves its lease in place.
   */
  private rememberAbandonedLeases(swaps: readonly Swap[]): void {
    for (const { key, when, value } of swaps) {
      // The value of a swap that takes or releases a lease, or takes a refill lock, is that lease or lock. A fill has its lease in the
      // condition. The swap of a generation contains no lease, nor does a swap that fills or releases a refill: its condition is the
      // prefix of the entry that was read.
      const lease = value.startsWith(leaseMark) ? value : when.state === 'startsWith' ? when.expected : ''
      if (lease.startsWith(leaseMark) && this.abandonedLeases.length < maxAbandonedLeases)
        this.abandonedLeases.push({ key, expected: lease })
    }
  }

  /** Ends abandoned leases as soon as the store answers again, so that no caller has to wait until the leases expire. */
  private releaseAbandonedLeases(namespace: Namespace<unknown>): void {
    if (this.abandonedLeases.length === 0) return
    const leases = this.abandonedLeases.splice(0)
    void this.options.guardedStore.run(namespace, (store) => store.swapMany(leases.map(releaseSwap)))
  }

  private toClaim<Id extends EntryId>(
    namespace: Namespace<unknown>,
    keyRead: KeyRead<Id>,
    swap: Swap,
    answer: SwapAnswer | undefined,
  ): Claim<Id> {
    const { id, key, generation } = keyRead
    if (!answer || generation === null) return { state: 'notGranted', keyRead }
    if (answer.swapped) return { state: 'granted', keyRead, lease: { id, key, generation, expected: swap.value } }
    const stored = decodeStored(answer.current)
    if (stored.state === 'leased') return { state: 'leased', keyRead, lease: stored.lease }
    const lookup = interpret(namespace, { ...keyRead, stored }, this.options.now())
    if (lookup.state === 'miss') return { state: 'notGranted', keyRead }
    return { state: 'filled', keyRead, value: lookup.state === 'negative' ? null : lookup.value }
  }

  /**
   * Returns the swap that takes the right to refill an entry. The lock expires after `refillRetryMs` and is not released earlier,
   * so that a failed refill is tried again only after a while, and not by every reader. An exception is a lock that the store may
   * have granted without the answer arriving: no refill follows, so it is released as an abandoned lease (see
   * rememberAbandonedLeases).
   */
  private refillLock({ key }: KeyRead<EntryId>): Swap {
    const value = encodeLease(this.options.createToken())
    return { key: `${key}:refill`, when: { state: 'absent' }, value, ttlMs: refillRetryMs }
  }

  private leaseSwap({ key, stored }: KeyRead<EntryId>): Swap {
    const value = encodeLease(this.options.createToken())
    const ttlMs = this.options.leaseMs
    if (stored.state === 'corrupt') return { key, when: { state: 'notLeased' }, value, ttlMs }
    if (stored.state === 'entry')
      return { key, when: { state: 'absentOrStartsWith', expected: stored.uniquePrefix }, value, ttlMs }
    return { key, when: { state: 'absent' }, value, ttlMs }
  }

  /**
   * The generation of a list expires about an hour after its creation, even if the list is in use, so that the generations of
   * unused lists do not accumulate. Afterwards, the entries of the list are misses. The generations of namespaces are few and do
   * not expire.
   */
  private generationSwap(namespace: Namespace<unknown>, { key, text }: Generation): Swap {
    const ttlMs = key === this.options.keys.namespaceGeneration(namespace) ? null : this.jitter(listGenerationTtlMs)
    // A damaged generation is replaced whatever its text is: no lease is ever stored under the key of a generation.
    return { key, when: { state: text === null ? 'absent' : 'notLeased' }, value: this.options.createToken(), ttlMs }
  }

  /**
   * Returns the swap that fills an entry. Instead makes the lease (for a refill, the entry that was read) expire immediately if the
   * value depends on more generations than the lease has, or cannot be serialized as JSON: an error must not affect the other fills
   * of the batch.
   */
  private fillOrReleaseSwap<V>(namespace: Namespace<V>, lease: Lease, value: V | null, fetchMs: number): Swap {
    try {
      const generation = generationOfValue(lease, value)
      if (generation === undefined) return releaseSwap(lease)
      return this.fillSwap(namespace, { ...lease, generation }, value, fetchMs)
    } catch {
      this.options.counters.add(namespace.name, 'corrupt')
      return releaseSwap(lease)
    }
  }

  private fillSwap<V>(namespace: Namespace<V>, lease: Lease, value: V | null, fetchMs: number): Swap {
    const { softTtlMs, graceMs, negativeTtlMs, version } = namespace
    const freshMs = this.jitter(value === null ? negativeTtlMs : softTtlMs)
    const header = {
      generation: lease.generation,
      softUntilMs: Math.round(this.options.now() + freshMs),
      // The clock may have been set back during the fetch.
      fetchMs: Math.max(0, Math.round(fetchMs)),
      version,
    }
    const ttlMs = value === null ? freshMs : freshMs + graceMs
    const entry = encodeEntry(this.options.createToken(), header, value)
    return { key: lease.key, when: { state: 'startsWith', expected: lease.expected }, value: entry, ttlMs }
  }

  /** Changes a TTL by up to plus or minus 10 %, so that entries filled together do not expire together. */
  private jitter(ttlMs: number): number {
    return ttlMs * (0.9 + 0.2 * this.options.random())
  }
}

/**
 * Returns the generations that the value depends on, joined; undefined if the lease has fewer generations. That happens in refills: the
 * lease may have only the generations of the entry that was read (see claimRefills), and the new value may depend on more.
 */
function generationOfValue({ id, generation }: Lease, value: unknown): string | undefined {
  if (typeof id === 'string' || id.relevantDependencyCount === undefined) return generation
  // The first generation is that of the namespace. The dependencies follow.
  const count = 1 + id.relevantDependencyCount(value)
  const generations = generation.split('.')
  return generations.length < count ? undefined : generations.slice(0, count).join('.')
}

/** A fill that was sent to the store. `countBefore` is the NearStore.removalCount of its key just before it was sent. */
interface SentFill {
  lease: Lease
  swap: Swap
  countBefore: number
}

/**
 * Makes the lease (for a refill, the entry that was read), if it still exists, expire after one millisecond, because a
 * compare-and-swap cannot delete a key.
 */
function releaseSwap(lease: Pick<Lease, 'key' | 'expected'>): Swap {
  return renewSwap(lease, 1)
}

/** Makes the lease, if it still exists, expire after `ttlMs` milliseconds. */
function renewSwap({ key, expected }: Pick<Lease, 'key' | 'expected'>, ttlMs: number): Swap {
  return { key, when: { state: 'startsWith', expected }, value: expected, ttlMs }
}

/** Returns the generations that are missing or damaged, each of them once. */
function missingGenerations(keyReads: readonly KeyRead<EntryId>[]): Generation[] {
  const missing = new Map<string, Generation>()
  for (const { generations } of keyReads) {
    for (const generation of generations) {
      if (joinGenerations([generation]) === null) missing.set(generation.key, generation)
    }
  }
  return [...missing.values()]
}

/** Returns the text that the key holds after the swap; null if the key is missing or its text is not known. */
function textAfter(swap: Swap, answer: SwapAnswer | undefined): string | null {
  if (!answer) return null
  return answer.swapped ? swap.value : answer.current
}

/** Returns the claim of a key that was not swapped, because it was already leased or the store was unavailable. */
function claimWithoutSwap<Id extends EntryId>(keyRead: KeyRead<Id>): Claim<Id> {
  return keyRead.stored.state === 'leased'
    ? { state: 'leased', keyRead, lease: keyRead.stored.lease }
    : { state: 'notGranted', keyRead }
}

const listGenerationTtlMs = 60 * 60 * 1000
const refillRetryMs = 10_000
const maxAbandonedLeases = 10_000
