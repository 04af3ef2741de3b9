import type { Attempts } from './attempts.js'
import type { Counters } from './counters.js'
import { decodeHeld, encodeEntry, encodeLease, leaseMark } from './entry.js'
import type { Keys } from './key.js'
import type { EntryId, Namespace } from './namespace.js'
import type { NearStore } from './near-store.js'
import { type Generation, interpret, joinGenerations, type Slot } from './slot.js'
import type { Swap, SwapAnswer } from './store.js'

/** The right to fill one entry, for as long as nothing invalidates it. */
export interface Lease<Id extends EntryId = EntryId> {
  readonly id: Id
  readonly key: string
  readonly generation: string
  /** What the key must still begin with when the fill arrives: the lease itself, or the stale entry that was seen. */
  readonly expected: string
}

/** What came of asking for a lease. */
export type Claim<Id extends EntryId> = { slot: Slot<Id> } & (
  | { state: 'granted'; lease: Lease<Id> }
  | { state: 'leased'; by: string }
  | { state: 'filled'; value: unknown }
  | { state: 'refused' }
)

export interface EntriesOptions {
  attempts: Attempts
  keys: Keys
  near: NearStore | null
  counters: Counters
  leaseMs: number
  createToken: () => string
  now: () => number
  random: () => number
}

/** Leases and fills in the store. Never rejects: what the store does not confirm counts as refused, or not landed. */
export class Entries {
  private readonly abandoned: Pick<Lease, 'key' | 'expected'>[] = []

  constructor(private readonly options: EntriesOptions) {}

  /** One round trip: a lease for every slot that is free, and the generations that were missing. */
  async claimMany<Id extends EntryId>(namespace: Namespace<unknown>, slots: readonly Slot<Id>[]): Promise<Claim<Id>[]> {
    const free = slots.filter(({ held }) => held.state !== 'leased' && held.state !== 'unavailable')
    const missing = missingGenerations(free)
    const generationSwaps = missing.map((generation) => this.generationSwap(namespace, generation))
    const leaseSwaps = free.map((slot) => this.leaseSwap(slot))
    const answers = await this.swapMany(namespace, [...generationSwaps, ...leaseSwaps])
    const created = new Map(generationSwaps.map((swap, index) => [swap.key, heldAfter(swap, answers?.[index])]))
    const claims = new Map<Slot<Id>, Claim<Id>>()
    for (const [index, slot] of free.entries()) {
      const generations = slot.generations.map(({ key, text }) => ({
        key,
        text: created.has(key) ? (created.get(key) ?? null) : text,
      }))
      const answer = answers?.[generationSwaps.length + index]
      const claimed = { ...slot, generations, generation: joinGenerations(generations) }
      claims.set(slot, this.toClaim(namespace, claimed, leaseSwaps[index] as Swap, answer))
    }
    return slots.map((slot) => claims.get(slot) ?? unclaimed(slot))
  }

  /** One of all processes may refill an entry that is still being served, and only while it is the one that was seen. */
  async claimRefills<Id extends EntryId>(namespace: Namespace<unknown>, slots: readonly Slot<Id>[]): Promise<Lease<Id>[]> {
    const locks = slots.map((slot) => this.refillLock(slot))
    const answers = await this.swapMany(namespace, locks)
    const leases = slots.flatMap(({ id, key, generation, held }, index) => {
      if (!answers?.[index]?.swapped || generation === null || held.state !== 'entry') return []
      return [{ id, key, generation, expected: held.seen }]
    })
    if (leases.length === 0) return []
    const texts = await this.options.attempts.run(namespace, (store) => store.readMany(leases.map(({ key }) => key)))
    return leases.filter((lease, index) => this.stillHolds(lease, texts?.[index] ?? null))
  }

  /** One round trip. Answers how many landed: those whose lease still stood. */
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

  /** One round trip. Gives those that still stand; they last as long again. All of them, where the store does not tell. */
  async renewMany(namespace: Namespace<unknown>, leases: readonly Lease[]): Promise<readonly Lease[]> {
    if (leases.length === 0) return []
    const answers = await this.options.attempts.run(namespace, (store) =>
      store.swapMany(leases.map((lease) => holdSwap(lease, this.options.leaseMs))),
    )
    return leases.filter((_, index) => answers?.[index]?.swapped ?? true)
  }

  /** Lets others fetch at once: where the lease still stands, it ends now. */
  async release(namespace: Namespace<unknown>, leases: readonly Lease[]): Promise<void> {
    await this.swapMany(namespace, leases.map(endSwap))
  }

  private async swapMany(namespace: Namespace<unknown>, swaps: readonly Swap[]): Promise<SwapAnswer[] | undefined> {
    if (swaps.length === 0) return []
    const answers = await this.options.attempts.run(namespace, (store) => store.swapMany(swaps))
    if (answers) this.endAbandoned(namespace)
    else this.abandon(swaps)
    return answers
  }

  /** A lease that was asked for may be given after the deadline, and one whose fill failed still stands: nobody will fill those. */
  private abandon(swaps: readonly Swap[]): void {
    for (const { key, when, value } of swaps) {
      const lease = value.startsWith(leaseMark) ? value : when.state === 'held' ? when.expected : ''
      if (lease.startsWith(leaseMark) && this.abandoned.length < maxAbandoned) this.abandoned.push({ key, expected: lease })
    }
  }

  /** At the first command that comes off again, so that others need not wait for them to expire. */
  private endAbandoned(namespace: Namespace<unknown>): void {
    if (this.abandoned.length === 0) return
    const leases = this.abandoned.splice(0)
    void this.options.attempts.run(namespace, (store) => store.swapMany(leases.map(endSwap)))
  }

  /** What was seen near may have been replaced far by another process. */
  private stillHolds({ key, expected }: Lease, text: string | null): boolean {
    if (text?.startsWith(expected)) return true
    this.options.near?.remove([key])
    return false
  }

  private toClaim<Id extends EntryId>(
    namespace: Namespace<unknown>,
    slot: Slot<Id>,
    swap: Swap,
    answer: SwapAnswer | undefined,
  ): Claim<Id> {
    const { id, key, generation } = slot
    if (!answer || generation === null) return { state: 'refused', slot }
    if (answer.swapped) return { state: 'granted', slot, lease: { id, key, generation, expected: swap.value } }
    const held = decodeHeld(answer.held)
    if (held.state === 'leased') return { state: 'leased', slot, by: held.lease }
    const lookup = interpret(namespace, { ...slot, held }, this.options.now())
    if (lookup.state === 'miss') return { state: 'refused', slot }
    return { state: 'filled', slot, value: lookup.state === 'negative' ? null : lookup.value }
  }

  /** Ends by itself, so that a refill that failed is tried again, but not by every reader. */
  private refillLock({ key }: Slot<EntryId>): Swap {
    const value = encodeLease(this.options.createToken())
    return { key: `${key}:refill`, when: { state: 'vacant' }, value, ttlMs: refillRetryMs }
  }

  private leaseSwap({ key, held }: Slot<EntryId>): Swap {
    const value = encodeLease(this.options.createToken())
    const ttlMs = this.options.leaseMs
    if (held.state === 'corrupt') return { key, when: { state: 'unleased' }, value, ttlMs }
    if (held.state === 'entry') return { key, when: { state: 'vacant', expected: held.seen }, value, ttlMs }
    return { key, when: { state: 'vacant' }, value, ttlMs }
  }

  /** A list's generation expires after a day, and its entries with it, so that no list stays for ever; the few of the namespaces stay. */
  private generationSwap(namespace: Namespace<unknown>, { key, text }: Generation): Swap {
    const ttlMs = key === this.options.keys.namespaceGeneration(namespace) ? null : this.jitter(listGenerationTtlMs)
    return { key, when: { state: text === null ? 'vacant' : 'unleased' }, value: this.options.createToken(), ttlMs }
  }

  /** A value that is no JSON is a fault of its fetch; it must not keep the others of its batch from landing. */
  private tryFillSwap<V>(namespace: Namespace<V>, lease: Lease, value: V | null, fetchMs: number): Swap {
    try {
      return this.fillSwap(namespace, lease, value, fetchMs)
    } catch {
      this.options.counters.add(namespace.name, 'corrupt')
      return endSwap(lease)
    }
  }

  private fillSwap<V>(namespace: Namespace<V>, lease: Lease, value: V | null, fetchMs: number): Swap {
    const { softTtlMs, graceMs, negativeTtlMs, version } = namespace
    const freshMs = this.jitter(value === null ? negativeTtlMs : softTtlMs)
    const header = {
      generation: lease.generation,
      softUntilMs: Math.round(this.options.now() + freshMs),
      // The clock may have been set back meanwhile.
      fetchMs: Math.max(0, Math.round(fetchMs)),
      version,
    }
    const ttlMs = value === null ? freshMs : freshMs + graceMs
    const entry = encodeEntry(this.options.createToken(), header, value)
    return { key: lease.key, when: { state: 'held', expected: lease.expected }, value: entry, ttlMs }
  }

  /** Plus or minus 10 %, so that what was filled together does not expire together. */
  private jitter(ttlMs: number): number {
    return ttlMs * (0.9 + 0.2 * this.options.random())
  }
}

/** Where the lease still stands, it ends now. */
function endSwap(lease: Pick<Lease, 'key' | 'expected'>): Swap {
  return holdSwap(lease, 1)
}

/** Where the lease still stands, it lasts that long from now on. */
function holdSwap({ key, expected }: Pick<Lease, 'key' | 'expected'>, ttlMs: number): Swap {
  return { key, when: { state: 'held', expected }, value: expected, ttlMs }
}

/** Of the slots' generations, those that are missing or damaged, each once. */
function missingGenerations(slots: readonly Slot<EntryId>[]): Generation[] {
  const missing = new Map<string, Generation>()
  for (const { generations } of slots) {
    for (const generation of generations) {
      if (joinGenerations([generation]) === null) missing.set(generation.key, generation)
    }
  }
  return [...missing.values()]
}

function heldAfter(swap: Swap, answer: SwapAnswer | undefined): string | null {
  if (!answer) return null
  return answer.swapped ? swap.value : answer.held
}

function unclaimed<Id extends EntryId>(slot: Slot<Id>): Claim<Id> {
  return slot.held.state === 'leased' ? { state: 'leased', slot, by: slot.held.lease } : { state: 'refused', slot }
}

const listGenerationTtlMs = 24 * 60 * 60 * 1000
const refillRetryMs = 10_000
const maxAbandoned = 10_000
