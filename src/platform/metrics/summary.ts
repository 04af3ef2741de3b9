import { lagBounds, latencyBounds, quantile } from './histogram.js'
import type { Counts } from './history.js'

/** The activity of all processes during an interval, as the dashboard shows it. A latency is null if nothing was timed. */
export interface Summary {
  seconds: number
  processes: number
  /** Processes that at some time during the interval could not reach the cache or did not trust it */
  distrusting: number
  requests: number
  /** Requests answered by a compiled query */
  compiled: number
  errors: number
  refused: number
  latencyMs: { p50: number | null; p95: number | null; p99: number | null }
  lagMs: { p50: number | null; p99: number | null }
  statements: number
  /** The share of time for which the event loops were busy, 0 to 1 */
  busy: number
  cache: CacheSummary
  namespaces: Record<string, CacheSummary>
}

/** Lookups are near + far + misses. Stale hits are included in near and far. */
export interface CacheSummary {
  near: number
  far: number
  misses: number
  stale: number
  fills: number
  invalidations: number
  errors: number
}

export function summarize(counts: Counts, seconds: number, namespaces: readonly string[]): Summary {
  const count = (name: string) => counts.get(name) ?? 0
  const [compiled, ok, errors, refused] = [
    count('requests.lane'),
    count('requests.ok'),
    count('requests.errors'),
    count('requests.refused'),
  ]
  const latency = latencyBounds.map((_, bucket) => count(`latency.${bucket}`)).concat(count(`latency.${latencyBounds.length}`))
  const lag = lagBounds.map((_, bucket) => count(`lag.${bucket}`)).concat(count(`lag.${lagBounds.length}`))
  const byNamespace = namespaces.map((name) => [name, summarizeCache(count, name)] as const)
  const processes = countNames(counts, 'process.')
  return {
    seconds,
    processes,
    distrusting: countNames(counts, 'doubting.'),
    requests: compiled + ok + errors + refused,
    compiled,
    errors,
    refused,
    latencyMs: {
      p50: quantileMs(latencyBounds, latency, 0.5),
      p95: quantileMs(latencyBounds, latency, 0.95),
      p99: quantileMs(latencyBounds, latency, 0.99),
    },
    lagMs: { p50: quantileMs(lagBounds, lag, 0.5), p99: quantileMs(lagBounds, lag, 0.99) },
    statements: count('statements'),
    busy: processes === 0 ? 0 : Math.min(1, count('busyMs') / 1000 / seconds / processes),
    cache: byNamespace.map(([, summary]) => summary).reduce(addCacheSummaries, emptyCacheSummary),
    namespaces: Object.fromEntries(byNamespace),
  }
}

/** Returns the sums of all counts, by name. */
export function mergeCounts(all: readonly Counts[]): Counts {
  const merged = new Map<string, number>()
  for (const counts of all) for (const [name, count] of counts) merged.set(name, (merged.get(name) ?? 0) + count)
  return merged
}

function summarizeCache(count: (name: string) => number, namespace: string): CacheSummary {
  const counter = (name: string) => count(`cache.${namespace}.${name}`)
  return {
    near: counter('nearHits'),
    far: counter('hits') - counter('nearHits'),
    misses: counter('misses'),
    stale: counter('staleHits'),
    fills: counter('fills'),
    invalidations: counter('invalidations'),
    errors: counter('unavailable') + counter('refused') + counter('corrupt') + counter('failedRefills'),
  }
}

function addCacheSummaries(a: CacheSummary, b: CacheSummary): CacheSummary {
  const names = Object.keys(a) as (keyof CacheSummary)[]
  return Object.fromEntries(names.map((name) => [name, a[name] + b[name]])) as unknown as CacheSummary
}

const emptyCacheSummary: CacheSummary = { near: 0, far: 0, misses: 0, stale: 0, fills: 0, invalidations: 0, errors: 0 }

function countNames(counts: Counts, prefix: string): number {
  return [...counts.keys()].filter((name) => name.startsWith(prefix)).length
}

function quantileMs(bounds: readonly number[], counts: readonly number[], share: number): number | null {
  const seconds = quantile(bounds, counts, share)
  return seconds === null ? null : Math.round(seconds * 1e5) / 100
}
