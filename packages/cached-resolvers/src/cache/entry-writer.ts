import type { Counters } from './counters.js'
import { decodeStored, encodeEntry, encodeLease, leaseMark } from './entry.js'
import type { GuardedStore } from './guarded-store.js'
import type { Keys } from './key.js'
import { type Generation, interpret, joinGenerations, type KeyRead } from './key-read.js'
import type { EntryId, Namespace } from './namespace.js'
import type { NearStore } from './near-store.js'
import type { Swap, SwapAnswer } from './store.js'

/** The right to fill one entry, for as long as nothing invalidates it. */
export interface Lease<Id extends EntryId = EntryId> {
  readonly id: Id
  readonly key: string
  readonly generation: string
  /**
   * The prefix that the stored text must still have when the fill arrives: the lease itself, or that of the stale entry that was
   * read.
   */
  readonly expected: string
}

/**
 * The result of requesting a lease. `leased`: another fetch holds it, `by` names that lease; `filled`: an entry was written
 * meanwhile.
 */
export type Claim<Id extends EntryId> = { keyRead: KeyRead<Id> } & (
  | { state: 'granted'; lease: Lease<Id> }
  | { state: 'leased'; by: string }
  | { state: 'filled'; value: unknown }
  | { state: 'refused' }
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
 * Takes leases and fills entries in the store. Never rejects: a lease that the store does not confirm counts as refused, a fill
 * as not landed.
 */
export class EntryWriter {
  private readonly orphanedLeases: Pick<Lease, 'key' | 'expected'>[] = []

  constructor(private readonly options: EntryWriterOptions) {}

  /** Takes a lease for every key that is free, and creates missing generations, in one round trip. */
  async claimMany<Id extends EntryId>(namespace: Namespace<unknown>, keyReads: readonly KeyRead<Id>[]): Promise<Claim<Id>[]> {
    const free = keyReads.filter(({ stored }) => stored.state !== 'leased' && stored.state !== 'unavailable')
    const missing = missingGenerations(free)
    const generationSwaps = missing.map((generation) => this.generationSwap(namespace, generation))
    const leaseSwaps = free.map((keyRead) => this.leaseSwap(keyRead))
    const answers = await this.swapMany(namespace, [...generationSwaps, ...leaseSwaps])
    const created = new Map(generationSwaps.map((swap, index) => [swap.key, storedAfter(swap, answers?.[index])]))
    const claims = new Map<KeyRead<Id>, Claim<Id>>()
    for (const [index, keyRead] of free.entries()) {
      const generations = keyRead.generations.map(({ key, text }) => ({
        key,
        text: created.has(key) ? (created.get(key) ?? null) : text,
      }))
      const answer = answers?.[generationSwaps.length + index]
      const claimed = { ...keyRead, generations, generation: joinGenerations(generations) }
      claims.set(keyRead, this.toClaim(namespace, claimed, leaseSwaps[index] as Swap, answer))
    }
    return keyReads.map((keyRead) => claims.get(keyRead) ?? unclaimed(keyRead))
  }

  /**
   * Lets only one process refill an entry that is still served. Its fill lands only if the entry is still the one that was read.
   */
  async claimRefills<Id extends EntryId>(namespace: Namespace<unknown>, keyReads: readonly KeyRead<Id>[]): Promise<Lease<Id>[]> {
    const locks = keyReads.map((keyRead) => this.refillLock(keyRead))
    const answers = await this.swapMany(namespace, locks)
    const leases = keyReads.flatMap(({ id, key, generation, stored }, index) => {
      if (!answers?.[index]?.swapped || generation === null || stored.state !== 'entry') return []
      return [{ id, key, generation, expected: stored.uniquePrefix }]
    })
    if (leases.length === 0) return []
    const texts = await this.options.guardedStore.run(namespace, (store) => store.readMany(leases.map(({ key }) => key)))
    return leases.filter((lease, index) => this.isUnchanged(lease, texts?.[index] ?? null))
  }

  /** Fills in one round trip. Returns how many fills landed: those whose lease still existed. */
  async fillMany<V>(
    namespace: Namespace<V>,
    fills: readonly { lease: Lease; value: V | null }[],
    fetchMs: number,
  ): Promise<number> {
    const swaps = fills.map(({ lease, value }) => this.tryFillSwap(namespace, lease, value, fetchMs))
    const answers = await this.swapMany(namespace, swaps)
    const landed = swaps
      .filter(({ value }, index) => answers?.[index]?.swapped && !value.startsWith(leaseMark))
      .map(({ key }) => key)
    this.options.near?.remove(landed)
    this.options.counters.add(namespace.name, 'fills', landed.length)
    return landed.length
  }

  /**
   * Extends leases to their full duration, in one round trip. Returns those that still exist; all of them if the store does not
   * answer.
   */
  async renewMany(namespace: Namespace<unknown>, leases: readonly Lease[]): Promise<readonly Lease[]> {
    if (leases.length === 0) return []
    const answers = await this.options.guardedStore.run(namespace, (store) =>
      store.swapMany(leases.map((lease) => renewSwap(lease, this.options.leaseMs))),
    )
    return leases.filter((_, index) => answers?.[index]?.swapped ?? true)
  }

  /** Ends leases that still exist, so that others can fetch at once. */
  async release(namespace: Namespace<unknown>, leases: readonly Lease[]): Promise<void> {
    await this.swapMany(namespace, leases.map(releaseSwap))
  }

  private async swapMany(namespace: Namespace<unknown>, swaps: readonly Swap[]): Promise<SwapAnswer[] | undefined> {
    if (swaps.length === 0) return []
    const answers = await this.options.guardedStore.run(namespace, (store) => store.swapMany(swaps))
    if (answers) this.releaseOrphans(namespace)
    else this.rememberOrphans(swaps)
    return answers
  }

  /**
   * Remembers leases that will never be filled: the store may grant a lease after the deadline, and a failed fill leaves its
   * lease.
   */
  private rememberOrphans(swaps: readonly Swap[]): void {
    for (const { key, when, value } of swaps) {
      const lease = value.startsWith(leaseMark) ? value : when.state === 'held' ? when.expected : ''
      if (lease.startsWith(leaseMark) && this.orphanedLeases.length < maxOrphanedLeases)
        this.orphanedLeases.push({ key, expected: lease })
    }
  }

  /** Called after the next command that succeeds, so that others need not wait until the leases expire. */
  private releaseOrphans(namespace: Namespace<unknown>): void {
    if (this.orphanedLeases.length === 0) return
    const leases = this.orphanedLeases.splice(0)
    void this.options.guardedStore.run(namespace, (store) => store.swapMany(leases.map(releaseSwap)))
  }

  /** An entry of the near store may have been replaced in the far store by another process. */
  private isUnchanged({ key, expected }: Lease, text: string | null): boolean {
    if (text?.startsWith(expected)) return true
    this.options.near?.remove([key])
    return false
  }

  private toClaim<Id extends EntryId>(
    namespace: Namespace<unknown>,
    keyRead: KeyRead<Id>,
    swap: Swap,
    answer: SwapAnswer | undefined,
  ): Claim<Id> {
    const { id, key, generation } = keyRead
    if (!answer || generation === null) return { state: 'refused', keyRead }
    if (answer.swapped) return { state: 'granted', keyRead, lease: { id, key, generation, expected: swap.value } }
    const stored = decodeStored(answer.current)
    if (stored.state === 'leased') return { state: 'leased', keyRead, by: stored.lease }
    const lookup = interpret(namespace, { ...keyRead, stored }, this.options.now())
    if (lookup.state === 'miss') return { state: 'refused', keyRead }
    return { state: 'filled', keyRead, value: lookup.state === 'negative' ? null : lookup.value }
  }

  /** The lock expires by itself: a failed refill is retried, but not by every reader. */
  private refillLock({ key }: KeyRead<EntryId>): Swap {
    const value = encodeLease(this.options.createToken())
    return { key: `${key}:refill`, when: { state: 'vacant' }, value, ttlMs: refillRetryMs }
  }

  private leaseSwap({ key, stored }: KeyRead<EntryId>): Swap {
    const value = encodeLease(this.options.createToken())
    const ttlMs = this.options.leaseMs
    if (stored.state === 'corrupt') return { key, when: { state: 'unleased' }, value, ttlMs }
    if (stored.state === 'entry') return { key, when: { state: 'vacant', expected: stored.uniquePrefix }, value, ttlMs }
    return { key, when: { state: 'vacant' }, value, ttlMs }
  }

  /**
   * The generation of a list expires after a day, and its entries with it, so that unused lists do not accumulate. Those of
   * namespaces are few and do not expire.
   */
  private generationSwap(namespace: Namespace<unknown>, { key, text }: Generation): Swap {
    const ttlMs = key === this.options.keys.namespaceGeneration(namespace) ? null : this.jitter(listGenerationTtlMs)
    return { key, when: { state: text === null ? 'vacant' : 'unleased' }, value: this.options.createToken(), ttlMs }
  }

  /** A value that cannot be serialized as JSON is an error of its fetch. It must not prevent the other fills of the batch. */
  private tryFillSwap<V>(namespace: Namespace<V>, lease: Lease, value: V | null, fetchMs: number): Swap {
    try {
      return this.fillSwap(namespace, lease, value, fetchMs)
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
    return { key: lease.key, when: { state: 'held', expected: lease.expected }, value: entry, ttlMs }
  }

  /** Plus or minus 10 %, so that entries filled together do not expire together. */
  private jitter(ttlMs: number): number {
    return ttlMs * (0.9 + 0.2 * this.options.random())
  }
}

/** Ends the lease if it still exists. */
function releaseSwap(lease: Pick<Lease, 'key' | 'expected'>): Swap {
  return renewSwap(lease, 1)
}

/** Lets the lease, if it still exists, expire in `ttlMs` milliseconds. */
function renewSwap({ key, expected }: Pick<Lease, 'key' | 'expected'>, ttlMs: number): Swap {
  return { key, when: { state: 'held', expected }, value: expected, ttlMs }
}

/** The distinct generations that are missing or damaged. */
function missingGenerations(keyReads: readonly KeyRead<EntryId>[]): Generation[] {
  const missing = new Map<string, Generation>()
  for (const { generations } of keyReads) {
    for (const generation of generations) {
      if (joinGenerations([generation]) === null) missing.set(generation.key, generation)
    }
  }
  return [...missing.values()]
}

function storedAfter(swap: Swap, answer: SwapAnswer | undefined): string | null {
  if (!answer) return null
  return answer.swapped ? swap.value : answer.current
}

function unclaimed<Id extends EntryId>(keyRead: KeyRead<Id>): Claim<Id> {
  return keyRead.stored.state === 'leased'
    ? { state: 'leased', keyRead, by: keyRead.stored.lease }
    : { state: 'refused', keyRead }
}

const listGenerationTtlMs = 24 * 60 * 60 * 1000
const refillRetryMs = 10_000
const maxOrphanedLeases = 10_000
