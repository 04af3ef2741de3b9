import { type Counts, maximumPrefix, mergeCounts } from './counts.js'
import { type Durations, summarizeDurations } from './durations.js'
import { latencyBounds } from './histogram.js'

/** The requests of an operation. The names "anonymous", "unknown" and "other" have the meaning described in docs/metrics.md. */
export interface OperationSummary {
  name: string
  requests: number
  errors: number
  refused: number
  /** Sum of the estimated costs */
  points: number
  latencyMs: Durations
}

/**
 * Returns the operations with the most requests and the slowest ones, at most `maxOperations`, the most used first. All others are
 * summed as "other".
 */
export function summarizeOperations(slots: readonly Counts[], maxOperations: number): OperationSummary[] {
  const byName = countsByOperation(mergeCounts(slots))
  const all = [...byName].map(([name, counts]) => summarize(name, counts))
  const mostUsed = [...all].sort((a, b) => b.requests - a.requests).slice(0, maxOperations / 2)
  const slowest = [...all].sort((a, b) => slowness(b) - slowness(a)).slice(0, maxOperations / 2 - 1)
  const shown = new Set([...mostUsed, ...slowest].map(({ name }) => name))
  const isHidden = (name: string) => name === other || !shown.has(name)
  const hidden = all.filter(({ name }) => isHidden(name)).map(({ name }) => byName.get(name) as Counts)
  const operations = all.filter(({ name }) => !isHidden(name))
  if (hidden.length > 0) operations.push(summarize(other, mergeCounts(hidden)))
  return operations.filter(({ requests }) => requests > 0).sort((a, b) => b.requests - a.requests)
}

/** The names of counts are `<counter>/<operation>`. */
function countsByOperation(counts: Counts): ReadonlyMap<string, Counts> {
  const byName = new Map<string, Map<string, number>>()
  for (const [name, count] of counts) {
    const slash = name.indexOf('/')
    const operation = name.slice(slash + 1)
    const ofOperation = byName.get(operation) ?? new Map<string, number>()
    byName.set(operation, ofOperation.set(name.slice(0, slash), count))
  }
  return byName
}

function summarize(name: string, counts: Counts): OperationSummary {
  const count = (counter: string) => counts.get(counter) ?? 0
  const maxima = [...counts].filter(([counter]) => counter.startsWith(maximumPrefix)).map(([, value]) => value)
  return {
    name,
    requests: count('compiled') + count('ok') + count('errors') + count('refused'),
    errors: count('errors'),
    refused: count('refused'),
    points: count('points'),
    latencyMs: summarizeDurations(latencyBounds, counts, 'latency', Math.max(0, ...maxima)),
  }
}

function slowness({ latencyMs: { p99, max } }: OperationSummary): number {
  return p99 ?? max ?? 0
}

const other = 'other'
