import type { Figures } from './figures.js'

/**
 * What this process counted since it began, as whole numbers by name, such as can be summed over processes and time: the history is made
 * of them, and `summarize` reads it.
 */
export function readTotals(figures: Figures): Map<string, number> {
  const totals = new Map<string, number>([
    ['statements', sum(figures.statements.durations.counts)],
    ['busyMs', Math.round(figures.busyMs())],
  ])
  addBuckets(totals, 'lag', figures.invalidationLag.counts)
  for (const { endings, durations } of figures.requests.byOperation().values()) {
    for (const [ending, count] of Object.entries(endings)) add(totals, `requests.${ending}`, count)
    addBuckets(totals, 'latency', durations.counts)
  }
  for (const name of figures.namespaces) {
    const counts = figures.cache.ownCounts({ name })
    for (const [counter, count] of Object.entries(counts)) add(totals, `cache.${name}.${counter}`, count)
  }
  return totals
}

function addBuckets(totals: Map<string, number>, name: string, counts: readonly number[]): void {
  for (const [bucket, count] of counts.entries()) add(totals, `${name}.${bucket}`, count)
}

function add(totals: Map<string, number>, name: string, count: number): void {
  totals.set(name, (totals.get(name) ?? 0) + count)
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0)
}
