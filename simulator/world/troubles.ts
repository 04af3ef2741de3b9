import { type Fault, faultKinds } from './faults.js'
import type { Interval, Troubles } from './judge.js'
import type { Plan } from './plan.js'

/** Where no process that uses a store is whole, nobody can deliver what was committed to it. */
export function troublesOf({ faults, prefixes, backend }: Pick<Plan, 'faults' | 'prefixes' | 'backend'>): Troubles {
  const impaired = prefixes.map((_, process) => faults.flatMap((fault) => impairment(fault, process)))
  // Where an address led two ways, each process may be the only one at its server.
  const isAlone = backend === 'memory' || faults.some(({ kind }) => kind === 'redis split' || kind === 'redis failed over')
  const excused = prefixes.map((prefix, process) => {
    const sharing = impaired.filter((__, other) => other === process || (!isAlone && prefixes[other] === prefix))
    return sharing.reduce((all, intervals) => all.flatMap((a) => intervals.flatMap((b) => overlap(a, b))))
  })
  return { faults: faults.map(({ at, forMs }) => ({ from: at, to: at + forMs })), excused }
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
