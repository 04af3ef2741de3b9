import { percentile } from '../tally.js'
import type { Phase } from './phase.js'

/**
 * What was not as it should be, in words: everybody gets an answer or a refusal in good order, memory does not go on growing, and
 * afterwards nobody is refused.
 */
export function findings(phases: readonly Phase[]): string[] {
  const after = phases.at(-1) as Phase
  return [
    ...phases.flatMap(({ name, failures }) => failures.entries.map(([cause, count]) => `${name}: ${count} times ${cause}`)),
    ...phases.filter(({ answeredMs }) => answeredMs.length === 0).map(({ name }) => `${name}: nobody was answered`),
    ...phases.filter(goesOnGrowing).map(({ name }) => `${name}: memory goes on growing`),
    ...(after.refusedMs.length > 0 ? [`${after.name}: ${after.refusedMs.length} were refused`] : []),
  ]
}

/** Its last quarter against its second: by then a process has what it needs. */
function goesOnGrowing({ residentMb }: Phase): boolean {
  const quarter = Math.floor(residentMb.length / 4)
  const [second, last] = [residentMb.slice(quarter, 2 * quarter), residentMb.slice(-quarter)]
  return quarter >= 4 && (percentile(last, 0.5) ?? 0) > 1.3 * (percentile(second, 0.5) ?? 0)
}

export function overloadTable(phases: readonly Phase[]): string {
  const ms = (values: readonly number[], share: number) => {
    const value = percentile(values, share)
    return value === null ? '-' : `${value.toFixed(0)} ms`
  }
  const columns: [string, (phase: Phase) => string][] = [
    ['clients', ({ clients }) => `${clients}`],
    ['answered a second', ({ answeredMs, seconds }) => (answeredMs.length / seconds).toFixed(0)],
    ['  p50', ({ answeredMs }) => ms(answeredMs, 0.5)],
    ['  p99', ({ answeredMs }) => ms(answeredMs, 0.99)],
    ['refused a second (503)', ({ refusedMs, seconds }) => (refusedMs.length / seconds).toFixed(0)],
    ['  p50', ({ refusedMs }) => ms(refusedMs, 0.5)],
    ['  p99', ({ refusedMs }) => ms(refusedMs, 0.99)],
    ['anything else', ({ failures }) => `${failures.total}`],
    ['memory, most', ({ residentMb }) => `${Math.max(...residentMb).toFixed(0)} MB`],
    ['said that it was ready', ({ ready }) => `${ready.filter(Boolean).length} of ${ready.length}`],
  ]
  const rows = [['', ...phases.map(({ name }) => name)], ...columns.map(([name, cell]) => [name, ...phases.map(cell)])]
  return rows.map(([name = '', ...cells]) => name.padEnd(24) + cells.map((cell) => cell.padStart(12)).join('')).join('\n')
}
