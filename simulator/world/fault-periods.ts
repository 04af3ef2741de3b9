import { type Fault, faultKinds } from './faults.js'
import type { FaultPeriods, Interval } from './judge.js'
import type { Plan } from './plan.js'

/** Computes when the faults of a plan break something, and for which processes they limit the delivery of changes. */
export function faultPeriodsOf({ faults, prefixes, backend }: Pick<Plan, 'faults' | 'prefixes' | 'backend'>): FaultPeriods {
  const impaired = prefixes.map((_, process) => faults.flatMap((fault) => impairment(fault, process)))
  const cutOff = prefixes.map((_, process) =>
    faults.flatMap((fault) => (fault.kind === 'postgres unreachable' ? impairment(fault, process) : [])),
  )
  // During these faults the other processes cannot deliver either, or are just noticing that they cannot.
  const serverDown = faults.filter(
    ({ kind }) => kind === 'redis hung' || kind === 'redis restarted' || kind === 'redis read-only',
  )
  const serverDownPeriods = serverDown.map(({ at, forMs }) => ({ from: at, to: at + forMs + 1_000 }))
  // If the address led to two servers, each process may be the only one that uses its server.
  const mayBeAlone = backend === 'memory' || faults.some(({ kind }) => kind === 'redis split' || kind === 'redis failed over')
  const others = prefixes.map((prefix, process) =>
    impaired.filter((_, other) => other !== process && !mayBeAlone && prefixes[other] === prefix),
  )
  return {
    faults: faults.map(({ at, forMs }) => ({ from: at, to: at + forMs })),
    undelivered: others.map((impairments, process) =>
      [...impairments.map((intervals) => [...intervals, ...serverDownPeriods]), impaired[process] ?? []].reduce(intersectAll),
    ),
    excused: others.map((impairments, process) => [...impairments, cutOff[process] ?? []].reduce(intersectAll)),
  }
}

function impairment(fault: Fault, process: number): Interval[] {
  const { impairsDeliveryMs } = faultKinds[fault.kind]
  const isAffected = 'process' in fault && (fault.process === null || fault.process === process)
  if (!isAffected || impairsDeliveryMs === undefined) return []
  return [{ from: fault.at, to: fault.at + fault.forMs + impairsDeliveryMs }]
}

function intersectAll(all: readonly Interval[], others: readonly Interval[]): Interval[] {
  return all.flatMap((a) => others.flatMap((b) => intersect(a, b)))
}

function intersect(a: Interval, b: Interval): Interval[] {
  const common = { from: Math.max(a.from, b.from), to: Math.min(a.to, b.to) }
  return common.from < common.to ? [common] : []
}
