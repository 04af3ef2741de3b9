import { type Fault, faultKinds } from './faults.js'
import type { Interval, Troubles } from './judge.js'
import type { Plan } from './plan.js'

/** Where no process is whole, nobody can deliver what was committed. */
export function troublesOf({ faults, prefixes }: Pick<Plan, 'faults' | 'prefixes'>): Troubles {
  const impaired = prefixes.map((_, process) => faults.flatMap((fault) => impairment(fault, process)))
  return {
    faults: faults.map(({ at, forMs }) => ({ from: at, to: at + forMs })),
    excused: impaired.reduce((all, its) => all.flatMap((a) => its.flatMap((b) => overlap(a, b)))),
  }
}

function impairment(fault: Fault, process: number): Interval[] {
  const { impairsForMs } = faultKinds[fault.kind]
  const strikes = 'process' in fault && (fault.process === null || fault.process === process)
  if (!strikes || impairsForMs === undefined) return []
  return [{ from: fault.at, to: fault.at + fault.forMs + impairsForMs }]
}

function overlap(a: Interval, b: Interval): Interval[] {
  const both = { from: Math.max(a.from, b.from), to: Math.min(a.to, b.to) }
  return both.from < both.to ? [both] : []
}
