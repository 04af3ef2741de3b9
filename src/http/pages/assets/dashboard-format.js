/** @param {number} value @param {number} [digits] */
export function number(value, digits = 0) {
  return value.toLocaleString('en', { maximumFractionDigits: digits })
}

/** Formats a rate with one decimal below 10, and without decimals above. @param {number} count @param {number} seconds */
export function perSecond(count, seconds) {
  const rate = seconds === 0 ? 0 : count / seconds
  if (rate > 0 && rate < 0.05) return '<0.1'
  return number(rate, rate < 10 ? 1 : 0)
}

/** @param {number | null} share 0 to 1 */
export function percent(share) {
  if (share === null) return '–'
  const rounded = Math.round(share * 1000) / 10
  // Only exact values are shown as 100 % and 0 %.
  if (rounded === 100 && share < 1) return '99.9 %'
  if (rounded === 0 && share > 0) return '<0.1 %'
  return `${number(rounded, 1)} %`
}

/** Formats an average with one decimal below 10, and without decimals above. @param {number | null} value */
export function average(value) {
  return value === null ? '–' : number(value, value < 10 ? 1 : 0)
}

/** @param {number | null | undefined} ms */
export function duration(ms) {
  if (ms === null || ms === undefined) return '–'
  if (ms >= 1000) return `${number(ms / 1000, 1)} s`
  return `${number(ms, ms < 10 ? 2 : 0)} ms`
}

/** @param {number} ms */
export function longDuration(ms) {
  const seconds = Math.round(Math.abs(ms) / 1000)
  if (seconds < 60) return `${seconds} s`
  return seconds < 3600 ? `${Math.floor(seconds / 60)} min ${seconds % 60} s` : `${number(seconds / 3600, 1)} h`
}

/** @param {number} seconds */
export function periodOf(seconds) {
  return seconds < 120 ? `${Math.round(seconds)} seconds` : `${Math.floor(seconds / 60)} minutes`
}

/** @param {{ near: number, far: number, misses: number }} cache */
export function lookups({ near, far, misses }) {
  return near + far + misses
}

/** @param {number} part @param {number} whole */
export function share(part, whole) {
  return whole === 0 ? null : part / whole
}

/** @param {{ near: number, far: number, misses: number }} cache */
export function hitRate(cache) {
  return share(cache.near + cache.far, lookups(cache))
}
