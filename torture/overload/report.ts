import { percentile } from '../tally.js'
import type { Phase } from './phase.js'

/**
 * What was not as it should be, in words: everybody gets an answer or a refusal in good order, probes too, memory stays below what
 * deploy/kubernetes gives, and afterwards nobody is refused.
 */
export function findings(phases: readonly Phase[]): string[] {
  const after = phases.at(-1) as Phase
  return [
    ...phases.flatMap(({ name, failures }) => failures.entries.map(([cause, count]) => `${name}: ${count} times ${cause}`)),
    ...phases.filter(({ answeredMs }) => answeredMs.length === 0).map(({ name }) => `${name}: nobody was answered`),
    ...phases
      .filter((phase) => mostMb(phase) > limitMb)
      .map(({ name }) => `${name}: it takes more memory than deploy/kubernetes gives it`),
    ...phases
      .filter(wouldBeRestarted)
      .map(({ name }) => `${name}: it answers no probe three times in a row, and would be restarted`),
    ...(after.refusedMs.length > 0 ? [`${after.name}: ${after.refusedMs.length} were refused`] : []),
  ]
}

const limitMb = 1_024

function mostMb({ residentMb }: Phase): number {
  return Math.max(...residentMb)
}

/** As deploy/kubernetes has it, where it is asked more seldom */
function wouldBeRestarted({ probesMs }: Phase): boolean {
  return probesMs.some((_, index) => index >= 2 && probesMs.slice(index - 2, index + 1).every((took) => !Number.isFinite(took)))
}

export function overloadTable(phases: readonly Phase[]): string {
  const ms = (values: readonly number[], share: number) => {
    const value = percentile(values, share)
    if (value === null) return '-'
    return Number.isFinite(value) ? `${value.toFixed(0)} ms` : 'no answer'
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
    ['memory, most', (phase) => `${mostMb(phase).toFixed(0)} MB`],
    ['probe, p50', ({ probesMs }) => ms(probesMs, 0.5)],
    ['probe, longest', ({ probesMs }) => ms(probesMs, 1)],
  ]
  const rows = [['', ...phases.map(({ name }) => name)], ...columns.map(([name, cell]) => [name, ...phases.map(cell)])]
  return rows.map(([name = '', ...cells]) => name.padEnd(24) + cells.map((cell) => cell.padStart(12)).join('')).join('\n')
}
