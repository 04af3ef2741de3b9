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
 * full: no check may have failed. none: stale values must have been detected, by readers or by the comparison in the quiet
 * period; either alone may miss them, since a fault may empty the store just before the comparison.
 */
export function hasPassed({ options, quiet, stale, ownWrites, failures }: Summary): boolean {
  if (options.protection === 'none') return quiet.differing + stale.olderOutsideBound > 0
  const violations = [
    quiet.differing,
    quiet.unsettled.length,
    stale.olderOutsideBound,
    stale.olderThanMutation,
    ownWrites.violations,
    failures.total,
  ]
  return quiet.comparisons > 0 && violations.every((count) => count === 0)
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
    ['requests to a process that was down or blocked (expected)', expectedFailures.total],
    ...indented(expectedFailures),
    ['stalls of processes, over 100 ms', stalls.total],
    ['request, p50', milliseconds(percentile(requestsMs, 0.5))],
    ['request, p99', milliseconds(percentile(requestsMs, 0.99))],
    ['request, longest', milliseconds(percentile(requestsMs, 1))],
    ['rows read', stale.reads],
    ['older than an acknowledged write, within the bound', stale.olderWithinBound],
    ['older than an acknowledged write, outside the bound', stale.olderOutsideBound],
    ['older than an answered mutation', stale.olderThanMutation],
    ['the same, answered after the 500 ms wait, around faults', stale.olderThanSlowMutation],
    ['greatest age in normal operation', milliseconds(stale.greatestAgeMs)],
    ['greatest age around faults', milliseconds(stale.greatestAgeInFaultMs)],
    ['mutations read at once through other processes', readElsewhere],
    ['own writes read at once', ownWrites.checked],
    ['own writes not visible', ownWrites.violations],
    ['comparisons in quiet periods', quiet.comparisons],
    ['entries, lists and answers compared', quiet.compared],
    ['entries that differ', quiet.differing],
    ['not settled in time', quiet.unsettled.length],
    ['commit to invalidation, p50', milliseconds(percentile(commitsMs, 0.5))],
    ['commit to invalidation, p99', milliseconds(percentile(commitsMs, 0.99))],
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
