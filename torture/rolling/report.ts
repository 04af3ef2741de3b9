import { percentile } from '../tally.js'
import type { RollingSummary } from './rolling-restart.js'

/** Whether no request failed, every acknowledged order exists exactly once, and no answer was older than the bound */
export function hasPassed({ clients, changes, orders, lostOrders, unitsTaken }: RollingSummary): boolean {
  const acknowledged = clients.orderIds.length
  return (
    clients.failures.total === 0 &&
    changes.stale === 0 &&
    lostOrders === 0 &&
    orders === acknowledged &&
    unitsTaken === acknowledged
  )
}

export function rollingTable({ clients, changes, restarts, orders, lostOrders, unitsTaken }: RollingSummary): string {
  const rows: [string, string | number][] = [
    ['restarts', restarts],
    ['queries', clients.queries],
    ['mutations', clients.mutations],
    ['requests that failed', clients.failures.total],
    ...clients.failures.entries.map(([cause, count]): [string, number] => [`  ${cause}`, count]),
    ['orders acknowledged', clients.orderIds.length],
    ['orders created', orders],
    ['orders lost', lostOrders],
    ['units taken out of stock', unitsTaken],
    ['reads of a row that SQL changes', changes.reads],
    ['older than 2 s', changes.stale],
    ['greatest age', `${changes.greatestAgeMs.toFixed(0)} ms`],
    ...([0.5, 0.99, 1] as const).map((share): [string, string] => [
      share === 1 ? 'request, longest' : `request, p${share * 100}`,
      `${(percentile(clients.latenciesMs, share) ?? 0).toFixed(1)} ms`,
    ]),
  ]
  const width = Math.max(...rows.map(([name]) => name.length))
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join('\n')
}
