import { lagBounds, latencyBounds, quantile } from './distribution.js'
import type { Counts } from './history.js'

/** What happened in a time, over all processes, as the dashboard shows it. Milliseconds are null where there was nothing to time. */
export interface Summary {
  seconds: number
  processes: number
  /** How many of these had a cache that could not be reached or was not believed, at some time */
  doubting: number
  requests: number
  lane: number
  errors: number
  refused: number
  latencyMs: { p50: number | null; p95: number | null; p99: number | null }
  lagMs: { p50: number | null; p99: number | null }
  statements: number
  /** Of the time of the event loops, 0 to 1 */
  busy: number
  cache: CacheSummary
  namespaces: Record<string, CacheSummary>
}

/** Lookups are near + far + misses; stale ones are among the first two. */
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
  const [lane, ok, errors, refused] = [
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
    doubting: countNames(counts, 'doubting.'),
    ...{ requests: lane + ok + errors + refused, lane, errors, refused },
    latencyMs: {
      p50: ms(latencyBounds, latency, 0.5),
      p95: ms(latencyBounds, latency, 0.95),
      p99: ms(latencyBounds, latency, 0.99),
    },
    lagMs: { p50: ms(lagBounds, lag, 0.5), p99: ms(lagBounds, lag, 0.99) },
    statements: count('statements'),
    busy: processes === 0 ? 0 : Math.min(1, count('busyMs') / 1000 / seconds / processes),
    cache: byNamespace.map(([, its]) => its).reduce(plus, nothing),
    namespaces: Object.fromEntries(byNamespace),
  }
}

/** All in one: what happened in any of them. */
export function merge(all: readonly Counts[]): Counts {
  const merged = new Map<string, number>()
  for (const counts of all) for (const [name, count] of counts) merged.set(name, (merged.get(name) ?? 0) + count)
  return merged
}

function summarizeCache(count: (name: string) => number, namespace: string): CacheSummary {
  const its = (counter: string) => count(`cache.${namespace}.${counter}`)
  return {
    near: its('nearHits'),
    far: its('hits') - its('nearHits'),
    misses: its('misses'),
    stale: its('staleHits'),
    fills: its('fills'),
    invalidations: its('invalidations'),
    errors: its('unavailable') + its('refused') + its('corrupt') + its('failedRefills'),
  }
}

function plus(a: CacheSummary, b: CacheSummary): CacheSummary {
  const names = Object.keys(a) as (keyof CacheSummary)[]
  return Object.fromEntries(names.map((name) => [name, a[name] + b[name]])) as unknown as CacheSummary
}

const nothing: CacheSummary = { near: 0, far: 0, misses: 0, stale: 0, fills: 0, invalidations: 0, errors: 0 }

function countNames(counts: Counts, prefix: string): number {
  return [...counts.keys()].filter((name) => name.startsWith(prefix)).length
}

function ms(bounds: readonly number[], counts: readonly number[], share: number): number | null {
  const seconds = quantile(bounds, counts, share)
  return seconds === null ? null : Math.round(seconds * 1e5) / 100
}
