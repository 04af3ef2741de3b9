import { type Counts, maximumPrefix } from './counts.js'
import { type Durations, summarizeDurations } from './durations.js'
import { lagBounds, latencyBounds } from './histogram.js'

/** The activity of all processes during an interval, as the dashboard shows it */
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
  latencyMs: Durations
  lagMs: Durations
  /** SQL statements for requests */
  statements: number
  /** SQL statements of the server itself: of audits and health checks */
  ownStatements: number
  /** Answers with an error, by code, without the codes that did not occur */
  errorCodes: Record<string, number>
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
    latencyMs: summarizeDurations(latencyBounds, counts, 'latency', largest(counts, `${maximumPrefix}latency.`)),
    lagMs: summarizeDurations(lagBounds, counts, 'lag', largest(counts, `${maximumPrefix}lag.`)),
    statements: count('statements.requests'),
    ownStatements: count('statements') - count('statements.requests'),
    errorCodes: Object.fromEntries(startingWith(counts, 'errors.')),
    busy: processes === 0 ? 0 : Math.min(1, count('busyMs') / 1000 / seconds / processes),
    cache: byNamespace.map(([, summary]) => summary).reduce(addCacheSummaries, emptyCacheSummary),
    namespaces: Object.fromEntries(byNamespace),
  }
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
  return startingWith(counts, prefix).length
}

function largest(counts: Counts, prefix: string): number {
  return Math.max(0, ...startingWith(counts, prefix).map(([, value]) => value))
}

/** The counts whose names start with the prefix, which is removed */
function startingWith(counts: Counts, prefix: string): [string, number][] {
  return [...counts].filter(([name]) => name.startsWith(prefix)).map(([name, count]) => [name.slice(prefix.length), count])
}
