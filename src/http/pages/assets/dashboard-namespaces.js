import { hitRate, lookups, number, percent, perSecond, share } from './dashboard-format.js'
import { createTable } from './dashboard-table.js'

/** @typedef {import('../../../platform/metrics/summary.js').Summary} Summary */
/** @typedef {import('../../../platform/metrics/summary.js').CacheSummary} CacheSummary */

const columns = [
  { title: 'Namespace' },
  { title: 'Hit rate' },
  { title: 'Lookups/s' },
  { title: 'Near', hint: 'Answered from the memory of the process' },
  { title: 'Far', hint: 'Answered from the cache server' },
  { title: 'Misses' },
  { title: 'Stale', hint: 'Hits on values past their soft TTL' },
  { title: 'Invalidated/s' },
  { title: 'Errors' },
  { title: 'Hit rate, 1 hour' },
  { title: '' },
]

/**
 * Creates a function that shows a row for each namespace.
 * @param {HTMLTableElement} table
 * @param {(namespace: string) => void} flush
 */
export function createNamespaces(table, flush) {
  const show = createTable(table, columns, (row, namespace) => {
    const button = document.createElement('button')
    button.type = 'button'
    button.textContent = 'Flush'
    button.setAttribute('aria-label', `Flush ${namespace}`)
    button.addEventListener('click', () => flush(namespace))
    row.cells[columns.length - 1]?.append(button)
  })
  /** @param {Summary} latest @param {readonly Summary[]} hour */
  return (latest, hour) =>
    show(
      Object.entries(latest.namespaces).map(([namespace, summary]) => {
        const inHour = hour.flatMap(({ namespaces }) => namespaces[namespace] ?? [])
        return { key: namespace, cells: [namespace, ...cellsOf(summary, latest.seconds, inHour)] }
      }),
    )
}

/** @param {CacheSummary} summary @param {number} seconds @param {readonly CacheSummary[]} hour */
function cellsOf(summary, seconds, hour) {
  const all = lookups(summary)
  const inHour = { near: 0, far: 0, misses: 0 }
  for (const { near, far, misses } of hour) {
    inHour.near += near
    inHour.far += far
    inHour.misses += misses
  }
  return [
    percent(hitRate(summary)),
    perSecond(all, seconds),
    ...[summary.near, summary.far, summary.misses, summary.stale].map((count) => percent(share(count, all))),
    perSecond(summary.invalidations, seconds),
    number(summary.errors),
    percent(hitRate(inHour)),
  ]
}
