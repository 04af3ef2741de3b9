import { percentile } from '../tally.js'
import type { Phase } from './outage.js'

/** Violated guarantees, one line each */
export function findings(phases: readonly Phase[]): string[] {
  return phases.flatMap(({ name, failed, unavailable, misses, alwaysTrusted }) => {
    const found = failed > 0 ? [`${name}: ${failed} requests failed`] : []
    if (name !== 'process stalled') return found
    if (unavailable > 0) found.push(`${name}: ${unavailable} lookups counted Redis as unavailable although it was healthy`)
    if (misses > 0) found.push(`${name}: ${misses} lookups missed although everything was in the cache`)
    if (!alwaysTrusted) found.push(`${name}: the cache was distrusted`)
    return found
  })
}

export function outageTable(phases: readonly Phase[]): string {
  const header = ['phase', 'requests', 'failed', 'p50 ms', 'p99 ms', 'max ms', 'unavailable', 'misses', 'statements at once']
  const rows = phases.map(({ name, latenciesMs, failed, unavailable, misses, statements }) => [
    ...[name, latenciesMs.length, failed],
    ...[0.5, 0.99, 1].map((share) => percentile(latenciesMs, share)?.toFixed(1) ?? '-'),
    ...[unavailable, misses, statements],
  ])
  return [header, header.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}
