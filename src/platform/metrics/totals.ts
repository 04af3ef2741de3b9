import { addCount } from './counts.js'
import type { ProcessMetrics } from './process-metrics.js'

/**
 * Returns the counts of this process since it started, as integers by name, which can be summed across processes and over time.
 * The history stores the counts in the cache store, and `summarize` reads these sums. Processes of different versions share the
 * store, so the names must not change.
 */
export function readTotals(metrics: ProcessMetrics): Map<string, number> {
  const totals = new Map<string, number>([
    ['statements', sum(metrics.statements.durations.counts)],
    ['statements.requests', metrics.statements.requestStatements],
    ['busyMs', Math.round(metrics.busyMs())],
  ])
  addBuckets(totals, 'lag', metrics.invalidationLag.counts)
  for (const { outcomes, durations } of metrics.requests.byOperation().values()) {
    addCount(totals, 'requests.lane', outcomes.compiled)
    addCount(totals, 'requests.ok', outcomes.ok)
    addCount(totals, 'requests.errors', outcomes.errors)
    addCount(totals, 'requests.refused', outcomes.refused)
    addBuckets(totals, 'latency', durations.counts)
  }
  for (const [code, count] of metrics.errors.byCode()) addCount(totals, `errors.${code}`, count)
  for (const name of metrics.namespaces) {
    const counts = metrics.cache.ownCounts({ name })
    for (const [counter, count] of Object.entries(counts)) addCount(totals, `cache.${name}.${counter}`, count)
  }
  return totals
}

function addBuckets(totals: Map<string, number>, name: string, counts: readonly number[]): void {
  for (const [bucket, count] of counts.entries()) addCount(totals, `${name}.${bucket}`, count)
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0)
}
