import { element } from './dashboard-dom.js'
import { duration, hitRate, lookups, number, percent, perSecond, share } from './dashboard-format.js'

/** @typedef {import('../../../platform/metrics/dashboard.js').DashboardData} Data */
/** @typedef {import('../../../platform/metrics/summary.js').Summary} Summary */
/** @typedef {Summary['latencyMs']} Durations */
/** @typedef {{ name: string, value: string, detail: string }} Tile */

/** @type {readonly ((latest: Summary) => Tile)[]} */
const tiles = [
  ({ cache, seconds }) => ({
    name: 'Hit rate',
    value: percent(hitRate(cache)),
    detail: lookups(cache) === 0 ? 'no lookups' : `${perSecond(lookups(cache), seconds)} lookups/s`,
  }),
  ({ requests, compiled, seconds }) => ({
    name: 'Requests/s',
    value: perSecond(requests, seconds),
    detail: requests === 0 ? 'no requests' : `${percent(share(compiled, requests))} by compiled queries`,
  }),
  ({ latencyMs }) => durationTile('Latency', latencyMs, 'request'),
  ({ statements, ownStatements, requests, seconds }) => ({
    name: 'SQL per request',
    value: requests === 0 ? '–' : number(statements / requests, 2),
    detail: `${perSecond(statements, seconds)}/s for requests, ${perSecond(ownStatements, seconds)}/s for audits and health checks`,
  }),
  ({ lagMs }) => durationTile('Invalidation lag', lagMs, 'change'),
  ({ busy, processes }) => ({
    name: 'Event loop busy',
    value: percent(busy),
    detail: processes === 1 ? '1 process' : `average of ${number(processes)} processes`,
  }),
]

/** The highest percentile that there are enough durations for, or the maximum. @param {string} name @param {Durations} durations @param {string} unit @returns {Tile} */
function durationTile(name, { count, p50, p95, p99, max }, unit) {
  const counted = `${number(count)} ${unit}${count === 1 ? '' : 's'}`
  if (count === 0) return { name: `${name}, p99`, value: '–', detail: `no ${unit}s` }
  if (p50 === null) return { name: `${name}, max`, value: duration(max), detail: `of ${counted}: too few for percentiles` }
  const detail = `p50 ${duration(p50)}, max ${duration(max)}`
  if (p99 === null) return { name: `${name}, p95`, value: duration(p95), detail: `${detail}, of ${counted}` }
  return { name: `${name}, p99`, value: duration(p99), detail: `p50 ${duration(p50)}, p95 ${duration(p95)}` }
}

/** @param {HTMLElement} list @param {Summary} latest */
export function showTiles(list, latest) {
  list.replaceChildren(
    ...tiles.map((tile) => {
      const { name, value, detail } = tile(latest)
      const group = document.createElement('div')
      group.append(element('dt', name), element('dd', value, 'value'), element('dd', detail, 'quiet'))
      return group
    }),
  )
}

/**
 * Describes in one line whether the operator has to act. `failed` and `refused`: answers of the last 10 seconds
 * @param {Data} data
 * @param {{ failed: number, refused: number }} errors
 * @returns {{ className: string, text: string }}
 */
export function stateOf({ scope, latest }, { failed, refused }) {
  const degraded = (/** @type {string} */ text) => ({ className: 'state degraded', text })
  if (scope === 'this process')
    return degraded('The cache server cannot be reached: check /health and REDIS_URL. Answers come from the database.')
  if (latest.distrusting > 0)
    return degraded(
      `${number(latest.distrusting)} of ${number(latest.processes)} processes do not trust the cache: they read from the database until all invalidations are applied.`,
    )
  if (isMany(failed, latest))
    return degraded(`${percent(share(failed, latest.requests))} of the requests failed: see Errors below.`)
  if (isMany(refused, latest))
    return degraded(
      `${percent(share(refused, latest.requests))} of the requests were refused because of a limit: see Errors below.`,
    )
  if (latest.cache.errors > 0) return degraded('The cache reports errors: see Namespaces below.')
  return {
    className: 'state healthy',
    text: latest.requests === 0 ? 'Healthy; no requests in the last 10 seconds.' : 'Healthy.',
  }
}

/** @param {number} count @param {Summary} latest */
function isMany(count, { requests }) {
  return (share(count, requests) ?? 0) > 0.01
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
