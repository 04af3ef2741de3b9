import type { CacheStore } from './store.js'

const names = [
  ...([
    'hits',
    'negativeHits',
    'staleHits',
    'nearHits',
    'misses',
    'coalesced',
    'leaseWaits',
    'shed',
    'fills',
    'invalidations',
  ] as const),
  ...(['unavailable', 'refused', 'corrupt', 'failedRefills', 'audited', 'wrong'] as const),
] as const
export type CounterName = (typeof names)[number]
/**
 * Counts of one namespace. Lookups are hits plus misses; negative, stale and near hits are hits too. Coalesced and lease waits are
 * misses that another's fetch answered; shed are fetches that the gate did not let in. Then come errors by kind: the store
 * did not answer or was doubted, answered with an error, held something damaged; a refill in the background failed. Audited entries were
 * compared with the truth, wrong ones differed from it.
 */
export type Counts = Record<CounterName, number>

/**
 * Counts in the process, at the price of an addition, and carries what came together to the store, where the counts of all
 * processes are summed. What the store did not confirm is sent again under the same batch id, so nothing counts twice.
 */
export class Counters {
  /** By namespace */
  private pending = new Map<string, Counts>()
  /** What this process has sent on its way since it began */
  private readonly sent = new Map<string, Counts>()
  /** On its way to the store, or to be sent again. */
  private batch: Batch | undefined
  private flushing: Promise<void> | undefined
  /** The sums as they were last read or confirmed. */
  private shared: ReadonlyMap<string, number> = new Map()

  constructor(
    private readonly store: CacheStore,
    private readonly key: string,
    private readonly createBatchId: () => string,
  ) {}

  add(namespace: string, name: CounterName, count = 1): void {
    this.of(namespace)[name] += count
  }

  /** What this process counted since it last saved; to be added to, and not to be kept. */
  of(namespace: string): Counts {
    const known = this.pending.get(namespace)
    if (known) return known
    const counts = createCounts()
    this.pending.set(namespace, counts)
    return counts
  }

  /** What this process alone counted since it began */
  own(namespace: string): Counts {
    const sent = this.sent.get(namespace)
    const pending = this.pending.get(namespace)
    return Object.fromEntries(names.map((name) => [name, (sent?.[name] ?? 0) + (pending?.[name] ?? 0)])) as Counts
  }

  /** Sums over all processes, this one up to now. With the store away: the sums last seen, and what came since. */
  async read(namespaces: readonly string[]): Promise<Map<string, Counts>> {
    try {
      await this.flush()
      this.shared = await this.store.readCounts(this.key)
    } catch {
      // Answered below from what this process knows.
    }
    return new Map(namespaces.map((namespace) => [namespace, this.countsOf(namespace)]))
  }

  /** Rejects when the store is away; nothing is lost then. */
  flush(): Promise<void> {
    this.flushing ??= this.send().finally(() => {
      this.flushing = undefined
    })
    return this.flushing
  }

  private async send(): Promise<void> {
    if (this.batch) await this.deliver(this.batch)
    const counts = toFields(this.pending)
    if (counts.size === 0) return
    this.batch = { id: this.createBatchId(), counts }
    for (const namespace of this.pending.keys()) this.sent.set(namespace, this.own(namespace))
    this.pending = new Map()
    await this.deliver(this.batch)
  }

  private async deliver(batch: Batch): Promise<void> {
    await this.store.addCounts(this.key, batch.id, batch.counts, null)
    this.shared = sum(this.shared, batch.counts)
    this.batch = undefined
  }

  private countsOf(namespace: string): Counts {
    const count = (name: CounterName) => {
      const field = fieldOf(namespace, name)
      return (this.shared.get(field) ?? 0) + (this.batch?.counts.get(field) ?? 0) + (this.pending.get(namespace)?.[name] ?? 0)
    }
    return Object.fromEntries(names.map((name) => [name, count(name)])) as Counts
  }
}

interface Batch {
  id: string
  counts: ReadonlyMap<string, number>
}

function createCounts(): Counts {
  return Object.fromEntries(names.map((name) => [name, 0])) as Counts
}

/** As the store keeps them: the counts that are not 0. */
function toFields(counts: ReadonlyMap<string, Counts>): Map<string, number> {
  return new Map(
    [...counts].flatMap(([namespace, its]) =>
      names.filter((name) => its[name] > 0).map((name) => [fieldOf(namespace, name), its[name]] as const),
    ),
  )
}

function fieldOf(namespace: string, name: CounterName): string {
  return `${namespace}.${name}`
}

function sum(a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): Map<string, number> {
  const total = new Map(a)
  for (const [name, count] of b) total.set(name, (total.get(name) ?? 0) + count)
  return total
}
