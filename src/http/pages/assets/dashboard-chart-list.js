import { duration, hitRate, lookups, number, percent, perSecond, share } from './dashboard-format.js'

/** @typedef {import('../../../platform/metrics/summary.js').Summary} Summary */
/**
 * @typedef {object} Line
 * @property {string} name
 * @property {string} color a custom property of the style sheet
 * @property {(slot: Summary) => number | null} value drawn in the chart
 * @property {(slot: Summary) => string} text the value with its unit
 * @property {boolean} [filled]
 * @property {boolean} [dashed]
 */
/**
 * @typedef {object} Chart
 * @property {string} title
 * @property {readonly Line[]} lines in drawing order
 * @property {[number, number]} [range]
 * @property {boolean} [logarithmic]
 * @property {(value: number) => string} axis
 */

/** @type {readonly Chart[]} */
export const charts = [
  {
    title: 'Lookups by store',
    range: [0, 100],
    axis: (value) => `${value} %`,
    // Stacked: each area is drawn over the lower part of the previous one.
    lines: [
      {
        name: 'Misses',
        color: '--miss',
        filled: true,
        value: ({ cache }) => (lookups(cache) === 0 ? null : 100),
        text: ({ cache }) => percent(share(cache.misses, lookups(cache))),
      },
      {
        name: 'Far',
        color: '--far',
        filled: true,
        value: ({ cache }) => asPercent(hitRate(cache)),
        text: ({ cache }) => percent(share(cache.far, lookups(cache))),
      },
      {
        name: 'Near',
        color: '--near',
        filled: true,
        value: ({ cache }) => asPercent(share(cache.near, lookups(cache))),
        text: ({ cache }) => percent(share(cache.near, lookups(cache))),
      },
    ],
  },
  {
    title: 'Requests',
    axis: perSecondAxis,
    lines: [
      { name: 'Refused', color: '--warning', ...rate(({ refused }) => refused) },
      { name: 'With errors', color: '--bad', ...rate(({ errors }) => errors) },
      { name: 'All', color: '--near', ...rate(({ requests }) => requests) },
    ],
  },
  { title: 'Request latency', logarithmic: true, axis: duration, lines: durations(({ latencyMs }) => latencyMs) },
  {
    title: 'SQL statements',
    axis: perSecondAxis,
    lines: [
      { name: "Server's own", color: '--miss', ...rate(({ ownStatements }) => ownStatements) },
      { name: 'For requests', color: '--far', ...rate(({ statements }) => statements) },
    ],
  },
  { title: 'Invalidation lag', logarithmic: true, axis: duration, lines: durations(({ lagMs }) => lagMs) },
  {
    title: 'Stale hits and cache errors',
    axis: perSecondAxis,
    lines: [
      { name: 'Stale', color: '--warning', ...rate(({ cache }) => cache.stale) },
      { name: 'Errors', color: '--bad', ...rate(({ cache }) => cache.errors) },
    ],
  },
]

/** @param {(slot: Summary) => number} count */
function rate(count) {
  return {
    value: (/** @type {Summary} */ slot) => count(slot) / slot.seconds,
    text: (/** @type {Summary} */ slot) => `${perSecond(count(slot), slot.seconds)}/s`,
  }
}

/** Percentiles are drawn only where there are enough durations for them, the maximum everywhere. @param {(slot: Summary) => Summary['latencyMs']} durationsOf @returns {Line[]} */
function durations(durationsOf) {
  /** @param {'p50' | 'p95' | 'p99' | 'max'} statistic */
  const line = (statistic) => ({
    value: (/** @type {Summary} */ slot) => durationsOf(slot)[statistic],
    text: (/** @type {Summary} */ slot) => duration(durationsOf(slot)[statistic]),
  })
  return [
    { name: 'Max', color: '--quiet', dashed: true, ...line('max') },
    { name: 'p99', color: '--miss', ...line('p99') },
    { name: 'p95', color: '--far', ...line('p95') },
    { name: 'p50', color: '--near', ...line('p50') },
  ]
}

/** @param {number} value */
function perSecondAxis(value) {
  return `${number(value, 2)}/s`
}

/** @param {number | null} value */
function asPercent(value) {
  return value === null ? null : value * 100
}
