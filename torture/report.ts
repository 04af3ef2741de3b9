import type { Options } from './options.js'
import type { QuietSummary } from './quiet.js'
import type { StaleSummary } from './staleness.js'
import { percentile, type Tally } from './tally.js'

export interface Summary {
  options: Options
  operations: Tally
  faults: Tally
  failures: Tally
  expectedFailures: Tally
  stalls: Tally
  readElsewhere: number
  ownWrites: { checked: number; violations: number }
  stale: StaleSummary
  quiet: QuietSummary
  requestsMs: readonly number[]
  commitsMs: readonly number[]
}

/**
 * full: nothing may be wrong. none: readers have to see something, or this proves nothing. What is left for the comparison after quiet
 * is chance there: on a slow machine a fault may empty the store just before.
 */
export function hasPassed({ options, quiet, stale, ownWrites, failures }: Summary): boolean {
  if (options.protection === 'none') return quiet.differing + stale.olderOutsideBound > 0
  const faults = [
    quiet.differing,
    quiet.unsettled.length,
    stale.olderOutsideBound,
    stale.olderThanMutation,
    ownWrites.violations,
    failures.total,
  ]
  return quiet.comparisons > 0 && faults.every((count) => count === 0)
}

export function table(summary: Summary): string {
  const { options, operations, faults, failures, expectedFailures, stalls, readElsewhere } = summary
  const { stale, ownWrites, quiet, requestsMs, commitsMs } = summary
  const rows: [string, string | number][] = [
    ['seed', options.seed],
    ['protection', options.protection],
    ['store', options.store],
    ['operations', operations.total],
    ...indented(operations),
    ['faults', faults.total],
    ...indented(faults),
    ['requests that failed', failures.total],
    ...indented(failures),
    ['requests to a process down or held up (expected)', expectedFailures.total],
    ...indented(expectedFailures),
    ['stalls of processes, over 100 ms', stalls.total],
    ['request, p50', milliseconds(percentile(requestsMs, 0.5))],
    ['request, p99', milliseconds(percentile(requestsMs, 0.99))],
    ['request, longest', milliseconds(percentile(requestsMs, 1))],
    ['rows read', stale.reads],
    ['older than an acknowledged write, within the bound', stale.olderWithinBound],
    ['older than an acknowledged write, outside the bound', stale.olderOutsideBound],
    ['older than an answered mutation', stale.olderThanMutation],
    ['the same, after a wait of 500 ms around faults', stale.olderThanSlowMutation],
    ['greatest age in normal running', milliseconds(stale.greatestAgeMs)],
    ['greatest age around faults', milliseconds(stale.greatestAgeInFaultMs)],
    ['mutations read elsewhere at once', readElsewhere],
    ['own writes read at once', ownWrites.checked],
    ['own writes not read', ownWrites.violations],
    ['comparisons after quiet', quiet.comparisons],
    ['entries, lists and answers compared', quiet.compared],
    ['entries that differ', quiet.differing],
    ['not settled in time', quiet.unsettled.length],
    ['commit to invalidated, p50', milliseconds(percentile(commitsMs, 0.5))],
    ['commit to invalidated, p99', milliseconds(percentile(commitsMs, 0.99))],
  ]
  const width = Math.max(...rows.map(([name]) => name.length)) + 2
  return rows.map(([name, value]) => `${name.padEnd(width)}${value}`).join('\n')
}

function indented(tally: Tally): [string, number][] {
  return tally.entries.map(([name, count]) => [`  ${name}`, count])
}

function milliseconds(value: number | null): string {
  return value === null ? '-' : `${value.toFixed(1)} ms`
}
