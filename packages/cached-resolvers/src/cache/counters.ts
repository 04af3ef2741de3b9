import type { CacheStore } from './store.js'

const counterNames = [
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
export type CounterName = (typeof counterNames)[number]
/**
 * Counts of one namespace. Lookups are hits plus misses; `hits` include the negative, stale and near hits. `coalesced` are misses
 * that joined a fetch of this process, `leaseWaits` are misses that waited for a fetch of another process, and `shed` are fetches
 * that the fetch limiter rejected. Errors are counted by kind: the store did not answer or was distrusted (`unavailable`), the
 * store replied with an error (`refused`), an entry was damaged or a value could not be serialized (`corrupt`), or a background
 * refill failed (`failedRefills`). `audited` entries were compared with the source of truth, and `wrong` entries differed from
 * it.
 */
export type Counts = Record<CounterName, number>

/**
 * Counts in memory, so that counting costs one addition. A flush sends the counts to the store, which sums the counts of all
 * processes. A batch that the store did not confirm is sent again under the same id, so no batch is counted twice.
 */
export class Counters {
  /** The counts since the last flush, by name of the namespace */
  private pending = new Map<string, Counts>()
  /** The counts that this process has flushed, or begun to flush, since it started */
  private readonly sentCounts = new Map<string, Counts>()
  /** The batch that was sent and is not confirmed yet. The next flush sends it again. */
  private batch: Batch | undefined
  private flushing: Promise<void> | undefined
  /**
   * The last known sums across all processes: the sums that were last read from the store, plus the batches that the store has
   * confirmed since then
   */
  private sharedSums: ReadonlyMap<string, number> = new Map()

  constructor(
    private readonly store: CacheStore,
    private readonly key: string,
    private readonly createBatchId: () => string,
  ) {}

  add(namespace: string, name: CounterName, count = 1): void {
    this.pendingCounts(namespace)[name] += count
  }

  /**
   * Returns the counts since the last flush. The caller may add to the counts but must not keep the object, because a flush
   * replaces it.
   */
  pendingCounts(namespace: string): Counts {
    const known = this.pending.get(namespace)
    if (known) return known
    const counts = createCounts()
    this.pending.set(namespace, counts)
    return counts
  }

  /** The counts of this process since it started */
  ownCounts(namespace: string): Counts {
    const sent = this.sentCounts.get(namespace)
    const pending = this.pending.get(namespace)
    return Object.fromEntries(counterNames.map((name) => [name, (sent?.[name] ?? 0) + (pending?.[name] ?? 0)])) as Counts
  }

  /**
   * Returns the sums across all processes, including the unflushed counts of this process. If the store is unavailable, returns
   * the last known sums plus the counts of this process since then.
   */
  async read(namespaces: readonly string[]): Promise<Map<string, Counts>> {
    try {
      await this.flush()
      this.sharedSums = await this.store.readCounts(this.key)
    } catch {
      // Fall back to the last known sums.
    }
    return new Map(namespaces.map((namespace) => [namespace, this.countsOf(namespace)]))
  }

  /** Sends the counts to the store. Rejects if the store is unavailable; the counts are then kept for the next flush. */
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
    for (const namespace of this.pending.keys()) this.sentCounts.set(namespace, this.ownCounts(namespace))
    this.pending = new Map()
    await this.deliver(this.batch)
  }

  private async deliver(batch: Batch): Promise<void> {
    await this.store.addCounts(this.key, batch.id, batch.counts, null)
    this.sharedSums = sum(this.sharedSums, batch.counts)
    this.batch = undefined
  }

  private countsOf(namespace: string): Counts {
    const count = (name: CounterName) => {
      const field = fieldOf(namespace, name)
      return (this.sharedSums.get(field) ?? 0) + (this.batch?.counts.get(field) ?? 0) + (this.pending.get(namespace)?.[name] ?? 0)
    }
    return Object.fromEntries(counterNames.map((name) => [name, count(name)])) as Counts
  }
}

interface Batch {
  id: string
  counts: ReadonlyMap<string, number>
}

function createCounts(): Counts {
  return Object.fromEntries(counterNames.map((name) => [name, 0])) as Counts
}

/** Converts counts to the fields of CacheStore.addCounts. Counts of 0 are omitted. */
function toFields(byNamespace: ReadonlyMap<string, Counts>): Map<string, number> {
  return new Map(
    [...byNamespace].flatMap(([namespace, counts]) =>
      counterNames.filter((name) => counts[name] > 0).map((name) => [fieldOf(namespace, name), counts[name]] as const),
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
