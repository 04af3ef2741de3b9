import { type Fault, faultKinds } from './faults.js'
import type { Interval, Troubles } from './judge.js'
import type { Plan } from './plan.js'

export function troublesOf({ faults, prefixes, backend }: Pick<Plan, 'faults' | 'prefixes' | 'backend'>): Troubles {
  const impaired = prefixes.map((_, process) => faults.flatMap((fault) => impairment(fault, process)))
  const cutOff = prefixes.map((_, process) =>
    faults.flatMap((fault) => (fault.kind === 'postgres unreachable' ? impairment(fault, process) : [])),
  )
  // Then those that are whole deliver nothing either, or find out that they cannot; what is left is who goes on after it.
  const serverAway = faults.filter(
    ({ kind }) => kind === 'redis hung' || kind === 'redis restarted' || kind === 'redis read-only',
  )
  const ofServer = serverAway.map(({ at, forMs }) => ({ from: at, to: at + forMs + 1_000 }))
  // Where an address led two ways, each process may be the only one at its server.
  const isAlone = backend === 'memory' || faults.some(({ kind }) => kind === 'redis split' || kind === 'redis failed over')
  const others = prefixes.map((prefix, process) =>
    impaired.filter((_, other) => other !== process && !isAlone && prefixes[other] === prefix),
  )
  return {
    faults: faults.map(({ at, forMs }) => ({ from: at, to: at + forMs })),
    undelivered: others.map((its, process) =>
      [...its.map((intervals) => [...intervals, ...ofServer]), impaired[process] ?? []].reduce(overlaps),
    ),
    excused: others.map((its, process) => [...its, cutOff[process] ?? []].reduce(overlaps)),
  }
}

function impairment(fault: Fault, process: number): Interval[] {
  const { impairsForMs } = faultKinds[fault.kind]
  const strikes = 'process' in fault && (fault.process === null || fault.process === process)
  if (!strikes || impairsForMs === undefined) return []
  return [{ from: fault.at, to: fault.at + fault.forMs + impairsForMs }]
}

function overlaps(all: readonly Interval[], others: readonly Interval[]): Interval[] {
  return all.flatMap((a) => others.flatMap((b) => overlap(a, b)))
}

function overlap(a: Interval, b: Interval): Interval[] {
  const both = { from: Math.max(a.from, b.from), to: Math.min(a.to, b.to) }
  return both.from < both.to ? [both] : []
}
