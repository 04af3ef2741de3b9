import { duration, hitRate, lookups, number, percent, perSecond, share } from './dashboard-format.js'

/** @typedef {import('../../../platform/metrics/dashboard.js').DashboardData} Data */
/** @typedef {import('../../../platform/metrics/summary.js').Summary} Summary */
/** @typedef {import('../../../platform/metrics/summary.js').CacheSummary} CacheSummary */

/** Name, value and detail @type {readonly [string, (latest: Summary) => string, (latest: Summary) => string][]} */
const tiles = [
  ['Hit rate', ({ cache }) => percent(hitRate(cache)), ({ cache, seconds }) => `${perSecond(lookups(cache), seconds)} lookups/s`],
  [
    'Requests/s',
    ({ requests, seconds }) => perSecond(requests, seconds),
    ({ errors, refused, requests }) => `${percent(share(errors + refused, requests) ?? 0)} with errors or refused`,
  ],
  [
    'Latency, p99',
    ({ latencyMs }) => duration(latencyMs.p99),
    ({ latencyMs }) => `p50 ${duration(latencyMs.p50)}, p95 ${duration(latencyMs.p95)}`,
  ],
  [
    'SQL statements/s',
    ({ statements, seconds }) => perSecond(statements, seconds),
    ({ statements, requests }) => (requests === 0 ? 'no requests' : `${number(statements / requests, 2)} per request`),
  ],
  [
    'Invalidation lag, p99',
    ({ lagMs }) => duration(lagMs.p99),
    ({ lagMs }) => (lagMs.p50 === null ? 'no changes' : `p50 ${duration(lagMs.p50)}`),
  ],
  [
    'Event loop busy',
    ({ busy }) => percent(busy),
    ({ compiled, requests }) => `${percent(share(compiled, requests))} of requests by compiled queries`,
  ],
]

/** @param {HTMLElement} list @param {Summary} latest */
export function showTiles(list, latest) {
  list.replaceChildren(
    ...tiles.map(([name, value, detail]) => {
      const group = document.createElement('div')
      group.append(element('dt', name), element('dd', value(latest), 'value'), element('dd', detail(latest), 'quiet'))
      return group
    }),
  )
}

/**
 * Creates a function that shows a row for each namespace. Buttons are not recreated, so that they keep the focus.
 * @param {HTMLTableSectionElement} body
 * @param {(namespace: string) => void} flush
 */
export function createTable(body, flush) {
  /** @type {Map<string, HTMLTableCellElement[]>} */
  const rows = new Map()
  /** @param {Summary} latest @param {readonly Summary[]} hour */
  return (latest, hour) => {
    for (const [namespace, summary] of Object.entries(latest.namespaces)) {
      const cells = rows.get(namespace) ?? addRow(body, namespace, flush)
      rows.set(namespace, cells)
      const inHour = hour.map(({ namespaces }) => /** @type {CacheSummary} */ (namespaces[namespace]))
      for (const [index, text] of columns(summary, latest.seconds, inHour).entries()) {
        const cell = /** @type {HTMLTableCellElement} */ (cells[index])
        if (cell.textContent !== text) cell.textContent = text
      }
    }
  }
}

/** @param {CacheSummary} summary @param {number} seconds @param {readonly CacheSummary[]} hour */
function columns(summary, seconds, hour) {
  const all = lookups(summary)
  const inHour = hour.reduce(
    (sum, { near, far, misses }) => ({ near: sum.near + near, far: sum.far + far, misses: sum.misses + misses }),
    {
      near: 0,
      far: 0,
      misses: 0,
    },
  )
  return [
    percent(hitRate(summary)),
    perSecond(all, seconds),
    ...[summary.near, summary.far, summary.misses, summary.stale].map((count) => percent(share(count, all))),
    perSecond(summary.invalidations, seconds),
    number(summary.errors),
    percent(hitRate(inHour)),
  ]
}

/** @param {HTMLTableSectionElement} body @param {string} namespace @param {(namespace: string) => void} flush */
function addRow(body, namespace, flush) {
  const row = body.insertRow()
  const name = document.createElement('th')
  name.scope = 'row'
  name.textContent = namespace
  row.append(name)
  const cells = Array.from({ length: 9 }, () => row.insertCell())
  const button = document.createElement('button')
  button.type = 'button'
  button.textContent = 'Flush'
  button.setAttribute('aria-label', `Flush ${namespace}`)
  button.addEventListener('click', () => flush(namespace))
  row.insertCell().append(button)
  return cells
}

/** Describes in one line whether the operator has to act. @param {Data} data @returns {{ className: string, text: string }} */
export function stateOf({ scope, latest }) {
  const failed = share(latest.errors, latest.requests) ?? 0
  if (scope === 'this process')
    return {
      className: 'state degraded',
      text: 'The cache server cannot be reached: check /health and REDIS_URL. Answers come from the database.',
    }
  if (latest.distrusting > 0)
    return {
      className: 'state degraded',
      text: `${number(latest.distrusting)} of ${number(latest.processes)} processes do not trust the cache: they read from the database until all invalidations are applied.`,
    }
  if (failed > 0.01) return { className: 'state degraded', text: `${percent(failed)} of the requests have errors: see the log.` }
  if (latest.cache.errors > 0) return { className: 'state degraded', text: 'The cache reports errors: see the log.' }
  return {
    className: 'state healthy',
    text: latest.requests === 0 ? 'Healthy; no requests in the last 10 seconds.' : 'Healthy.',
  }
}

/** @param {Data} data */
export function scopeOf({ scope, latest, backend, now }) {
  const time = new Date(now).toLocaleTimeString([], { hour12: false })
  const processes =
    scope === 'all'
      ? `${number(latest.processes)} ${latest.processes === 1 ? 'process' : 'processes'}`
      : 'only the process that answered'
  return `The last 10 seconds of ${processes}, cache in ${backend === 'memory' ? 'memory' : 'Redis'}, at ${time}.`
}

/** @param {string} name @param {string} text @param {string} [className] */
function element(name, text, className = '') {
  const created = document.createElement(name)
  created.textContent = text
  created.className = className
  return created
}
