import { percentile } from '../tally.js'
import type { Period } from './period.js'

/**
 * Limits for a machine on which the same clients wait at most `idleMs` (p99) without an attack. On a slower machine the times are
 * scaled.
 */
const limits = {
  idleMs: 25,
  honestMs: 250,
  failedShare: 0.001,
  probeMs: 200,
  unansweredShare: 0.01,
  /** The memory limit in deploy/kubernetes */
  residentMb: 1_024,
  residentGrowthMb: 100,
  redisGrowthMb: 32,
  /** The rate limit of the log, and its burst */
  logLinesPerSecond: 50,
  logLinesBurst: 500,
}

/** The exceeded limits, one line each */
export function findings(periods: readonly Period[]): string[] {
  const [before, ...later] = periods as [Period, ...Period[]]
  const siege = later.filter(({ attack }) => attack !== null)
  const slowness = Math.max(1, (percentile(before.answeredMs, 0.99) ?? 0) / limits.idleMs)
  const all = (values: (period: Period) => number[]) => siege.flatMap(values)
  const [honest, probes] = [tail(all(({ answeredMs }) => answeredMs)), tail(all(({ probesMs }) => probesMs))]
  const unanswered = all(({ probesMs }) => probesMs).filter((ms) => ms === Number.POSITIVE_INFINITY).length
  const asked = siege.reduce((sum, { answeredMs, subscriptions }) => sum + answeredMs.length + subscriptions, 0)
  const failed = siege.reduce((sum, { failures }) => sum + failures.total, 0)
  const redisGrowth = Math.max(...all(({ redisMb }) => redisMb)) - Math.max(...before.redisMb)
  const lines = siege.reduce((sum, { logLines }) => sum + logLines, 0)
  const seconds = siege.reduce((sum, { seconds }) => sum + seconds, 0)
  const after = periods.at(-1) as Period
  return [
    ...exceeds(`honest clients, ${honest.name}`, honest.ms, limits.honestMs * slowness, 'ms'),
    ...exceeds('honest clients, failed', (100 * failed) / asked, 100 * limits.failedShare, '%'),
    ...exceeds(`probes, ${probes.name}`, probes.ms, limits.probeMs * slowness, 'ms'),
    ...exceeds('probes without an answer', (100 * unanswered) / probes.count, 100 * limits.unansweredShare, '%'),
    ...exceeds('memory, most', Math.max(...all(({ residentMb }) => residentMb)), limits.residentMb, 'MB'),
    ...exceeds(
      'memory, growth from the second third to the last',
      growth(all(({ residentMb }) => residentMb)),
      limits.residentGrowthMb,
      'MB',
    ),
    ...exceeds('Redis, growth', redisGrowth, limits.redisGrowthMb, 'MB'),
    ...exceeds('log', lines, limits.logLinesBurst + seconds * limits.logLinesPerSecond, 'lines'),
    ...after.failures.entries.map(([cause, count]) => `afterwards, ${count} times ${cause}`),
  ]
}

/** p99; for fewer than 1,000 values, the highest percentile with ten values above it, so that single values do not decide. */
function tail(values: readonly number[]): { name: string; ms: number; count: number } {
  const share = Math.max(0.5, Math.min(0.99, 1 - 10 / values.length))
  return { name: `p${Math.floor(100 * share)}`, ms: percentile(values, share) ?? Number.POSITIVE_INFINITY, count: values.length }
}

function exceeds(what: string, value: number, limit: number, unit: string): string[] {
  return value <= limit ? [] : [`${what}: ${formatNumber(value)} ${unit}, above ${formatNumber(limit)} ${unit}`]
}

/** Growth from the maximum of the second third to the maximum of the last third */
function growth(values: readonly number[]): number {
  const third = Math.floor(values.length / 3)
  return third === 0 ? 0 : Math.max(...values.slice(2 * third)) - Math.max(...values.slice(third, 2 * third))
}

export function siegeTable(periods: readonly Period[]): string {
  const head = ['p50', 'p99', 'asked', 'failed', 'probe p50', 'longest', 'memory', 'Redis', 'log/s']
  const rows = periods.map((period, index) => {
    const { attack, answeredMs, subscriptions, failures, probesMs, residentMb, redisMb, logLines, seconds } = period
    const cells = [
      ms(percentile(answeredMs, 0.5)),
      ms(percentile(answeredMs, 0.99)),
      `${answeredMs.length + subscriptions}`,
      `${failures.total}`,
      ms(percentile(probesMs, 0.5)),
      ms(percentile(probesMs, 1)),
      `${formatNumber(Math.max(0, ...residentMb))} MB`,
      `${formatNumber(Math.max(0, ...redisMb))} MB`,
      formatNumber(logLines / (seconds || 1)),
    ]
    return line(cells, nameOf(attack, index))
  })
  const causes = periods.flatMap(({ attack, failures }, index) =>
    failures.entries.map(([cause, count]) => `  ${nameOf(attack, index)}: ${count} times ${cause}`),
  )
  return [line(head, 'honest clients, milliseconds'), ...rows, ...(causes.length > 0 ? ['Failed:', ...causes] : [])].join('\n')
}

function nameOf(attack: string | null, index: number): string {
  return attack ?? (index === 0 ? 'before the attack' : 'afterwards')
}

function line(cells: readonly string[], name: string): string {
  return `${cells.map((cell) => cell.padStart(10)).join('')}  ${name}`
}

function ms(value: number | null): string {
  if (value === null) return '-'
  return Number.isFinite(value) ? formatNumber(value) : 'none'
}

function formatNumber(value: number): string {
  return value >= 10 ? value.toFixed(0) : value.toFixed(2)
}
