import { LRUCache } from 'lru-cache'
import { Histogram, latencyBounds } from './histogram.js'

/**
 * The outcome `compiled` means that a compiled query answered without errors. The other outcomes are those of the standard path:
 * `ok` (answered without errors), `errors` (answered with errors) and `refused` (refused before anything was executed, for
 * example because the request was malformed, invalid or not allowed).
 */
export type RequestOutcome = 'compiled' | 'ok' | 'errors' | 'refused'

export interface OperationMetrics {
  readonly outcomes: Record<RequestOutcome, number>
  readonly durations: Histogram
  /** Sum of the estimated costs, in points */
  points: number
  /** Number of recent requests, which is halved every 10 minutes */
  recentCount: number
}

export interface RequestMetricsOptions {
  maxOperations: number
  /** Milliseconds; only differences matter. */
  now: () => number
}

/**
 * Requests by operation. Clients choose the names of operations, so the number of names is bounded: only the `maxOperations`
 * names that were recently requested most often are counted separately. When a name is replaced by a more frequent one, its
 * counts are added to "other", and its further requests count as "other".
 */
export class RequestMetrics {
  private readonly operations = new Map<string, OperationMetrics>()
  private named = 0
  /** Recent requests by name, for names that are not counted separately */
  private readonly candidates = new LRUCache<string, number>({ max: maxCandidates })
  private halvedAt: number

  constructor(private readonly options: RequestMetricsOptions) {
    this.halvedAt = options.now()
  }

  /** `operation` is the name in the document; undefined for an anonymous operation. `points` is the estimated cost; 0 if it is not known. */
  observe(operation: string | undefined, outcome: RequestOutcome, seconds: number, points: number): void {
    const name = operation ?? 'anonymous'
    const metrics = this.operations.get(name) ?? this.metricsFor(name)
    metrics.recentCount += 1
    metrics.outcomes[outcome] += 1
    metrics.points += points
    metrics.durations.observe(seconds)
  }

  /** Observes a request that was refused before its operation was known. */
  observeUnparsed(seconds: number): void {
    this.observe('unknown', 'refused', seconds, 0)
  }

  byOperation(): ReadonlyMap<string, OperationMetrics> {
    return this.operations
  }

  private metricsFor(name: string): OperationMetrics {
    if (reservedNames.has(name)) return this.add(name)
    if (name.length > maxNameLength || !this.makeRoomFor(name)) return this.operations.get('other') ?? this.add('other')
    this.named += 1
    return this.add(name)
  }

  private add(name: string): OperationMetrics {
    const metrics = {
      outcomes: { compiled: 0, ok: 0, errors: 0, refused: 0 },
      durations: new Histogram(latencyBounds),
      points: 0,
      recentCount: 0,
    }
    this.operations.set(name, metrics)
    return metrics
  }

  /**
   * Returns whether the name may be counted separately. If all places are taken, the name replaces the rarest separately counted
   * name, provided that it is more frequent.
   */
  private makeRoomFor(name: string): boolean {
    if (this.named < this.options.maxOperations) return true
    this.halveRecentCounts()
    const times = (this.candidates.get(name) ?? 0) + 1
    this.candidates.set(name, times)
    const [rarest, metrics] = this.rarest()
    if (times <= metrics.recentCount) return false
    this.candidates.delete(name)
    this.operations.delete(rarest)
    this.named -= 1
    addTo(this.operations.get('other') ?? this.add('other'), metrics)
    return true
  }

  private rarest(): [string, OperationMetrics] {
    return [...this.operations]
      .filter(([name]) => !reservedNames.has(name))
      .reduce((rarest, entry) => (entry[1].recentCount < rarest[1].recentCount ? entry : rarest))
  }

  private halveRecentCounts(): void {
    const times = Math.floor((this.options.now() - this.halvedAt) / halvingIntervalMs)
    if (times === 0) return
    this.halvedAt += times * halvingIntervalMs
    for (const metrics of this.operations.values()) metrics.recentCount = Math.floor(metrics.recentCount / 2 ** times)
    this.candidates.clear()
  }
}

function addTo(sum: OperationMetrics, { outcomes, durations, points }: OperationMetrics): void {
  for (const [outcome, count] of Object.entries(outcomes) as [RequestOutcome, number][]) sum.outcomes[outcome] += count
  for (const [bucket, count] of durations.counts.entries())
    sum.durations.counts[bucket] = (sum.durations.counts[bucket] ?? 0) + count
  sum.durations.sumSeconds += durations.sumSeconds
  sum.durations.maxSeconds = Math.max(sum.durations.maxSeconds, durations.maxSeconds)
  sum.points += points
}

/** Labels that are not operation names. They are never replaced by another name. */
export const reservedNames: ReadonlySet<string> = new Set(['anonymous', 'unknown', 'other'])
const maxNameLength = 64
const maxCandidates = 200
const halvingIntervalMs = 600_000
