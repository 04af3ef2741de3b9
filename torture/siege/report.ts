import { percentile } from '../tally.js'
import type { Span } from './span.js'

/** On a machine where the same clients wait no longer than `easeMs` (p99) while nobody attacks; on a slower one times are longer in proportion. */
const limits = {
  easeMs: 25,
  honestMs: 250,
  failedShare: 0.001,
  probeMs: 200,
  unansweredShare: 0.01,
  /** What deploy/kubernetes gives */
  residentMb: 1_024,
  residentGrowthMb: 100,
  redisGrowthMb: 32,
  /** What the log is limited to, and what it may say at once */
  logLinesPerSecond: 50,
  logLinesAtOnce: 500,
}

/** What was not as it should be, in words */
export function findings(spans: readonly Span[]): string[] {
  const [before, ...later] = spans as [Span, ...Span[]]
  const siege = later.filter(({ attack }) => attack !== null)
  const slowness = Math.max(1, (percentile(before.answeredMs, 0.99) ?? 0) / limits.easeMs)
  const all = (values: (span: Span) => number[]) => siege.flatMap(values)
  const [honest, probes] = [tail(all(({ answeredMs }) => answeredMs)), tail(all(({ probesMs }) => probesMs))]
  const unanswered = all(({ probesMs }) => probesMs).filter((ms) => ms === Number.POSITIVE_INFINITY).length
  const asked = siege.reduce((sum, { answeredMs, subscriptions }) => sum + answeredMs.length + subscriptions, 0)
  const failed = siege.reduce((sum, { failures }) => sum + failures.total, 0)
  const redisGrowth = Math.max(...all(({ redisMb }) => redisMb)) - Math.max(...before.redisMb)
  const lines = siege.reduce((sum, { logLines }) => sum + logLines, 0)
  const seconds = siege.reduce((sum, { seconds }) => sum + seconds, 0)
  const after = spans.at(-1) as Span
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
    ...exceeds('log', lines, limits.logLinesAtOnce + seconds * limits.logLinesPerSecond, 'lines'),
    ...after.failures.entries.map(([cause, count]) => `afterwards, ${count} times ${cause}`),
  ]
}

/** p99; of fewer than 1,000 values the highest percentile that ten of them are above, since a single one says little of the others. */
function tail(values: readonly number[]): { name: string; ms: number; count: number } {
  const share = Math.max(0.5, Math.min(0.99, 1 - 10 / values.length))
  return { name: `p${Math.floor(100 * share)}`, ms: percentile(values, share) ?? Number.POSITIVE_INFINITY, count: values.length }
}

function exceeds(what: string, value: number, limit: number, unit: string): string[] {
  return value <= limit ? [] : [`${what}: ${figure(value)} ${unit}, above ${figure(limit)} ${unit}`]
}

/** From the most of the second third to the most of the last */
function growth(values: readonly number[]): number {
  const third = Math.floor(values.length / 3)
  return third === 0 ? 0 : Math.max(...values.slice(2 * third)) - Math.max(...values.slice(third, 2 * third))
}

export function siegeTable(spans: readonly Span[]): string {
  const head = ['p50', 'p99', 'asked', 'failed', 'probe p50', 'longest', 'memory', 'Redis', 'log/s']
  const rows = spans.map((span, index) => {
    const { attack, answeredMs, subscriptions, failures, probesMs, residentMb, redisMb, logLines, seconds } = span
    const cells = [
      ms(percentile(answeredMs, 0.5)),
      ms(percentile(answeredMs, 0.99)),
      `${answeredMs.length + subscriptions}`,
      `${failures.total}`,
      ms(percentile(probesMs, 0.5)),
      ms(percentile(probesMs, 1)),
      `${figure(Math.max(0, ...residentMb))} MB`,
      `${figure(Math.max(0, ...redisMb))} MB`,
      figure(logLines / (seconds || 1)),
    ]
    return line(cells, nameOf(attack, index))
  })
  const causes = spans.flatMap(({ attack, failures }, index) =>
    failures.entries.map(([cause, count]) => `  ${nameOf(attack, index)}: ${count} times ${cause}`),
  )
  return [line(head, 'honest clients, milliseconds'), ...rows, ...(causes.length > 0 ? ['Failed:', ...causes] : [])].join('\n')
}

function nameOf(attack: string | null, index: number): string {
  return attack ?? (index === 0 ? 'at ease' : 'afterwards')
}

function line(cells: readonly string[], name: string): string {
  return `${cells.map((cell) => cell.padStart(10)).join('')}  ${name}`
}

function ms(value: number | null): string {
  if (value === null) return '-'
  return Number.isFinite(value) ? figure(value) : 'none'
}

function figure(value: number): string {
  return value >= 10 ? value.toFixed(0) : value.toFixed(2)
}
