import { percentile } from '../tally.js'
import type { Rolled } from './roll.js'

/** No request failed, what was ordered is there once, and no answer was older than the bound. */
export function hasRolledWell({ seen, changes, orders, lostOrders, unitsTaken }: Rolled): boolean {
  const acknowledged = seen.orderIds.length
  return (
    seen.failures.total === 0 && changes.stale === 0 && lostOrders === 0 && orders === acknowledged && unitsTaken === acknowledged
  )
}

export function rollingTable({ seen, changes, restarts, orders, lostOrders, unitsTaken }: Rolled): string {
  const rows: [string, string | number][] = [
    ['restarts', restarts],
    ['queries', seen.queries],
    ['mutations', seen.mutations],
    ['requests that failed', seen.failures.total],
    ...seen.failures.entries.map(([cause, count]): [string, number] => [`  ${cause}`, count]),
    ['orders acknowledged', seen.orderIds.length],
    ['orders made', orders],
    ['orders lost', lostOrders],
    ['units taken out of stock', unitsTaken],
    ['reads of a row that SQL changes', changes.reads],
    ['older than 2 s', changes.stale],
    ['the oldest', `${changes.greatestAgeMs.toFixed(0)} ms`],
    ...([0.5, 0.99, 1] as const).map((share): [string, string] => [
      share === 1 ? 'request, longest' : `request, p${share * 100}`,
      `${(percentile(seen.latenciesMs, share) ?? 0).toFixed(1)} ms`,
    ]),
  ]
  const width = Math.max(...rows.map(([name]) => name.length))
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join('\n')
}
