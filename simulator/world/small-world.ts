import type { Fault } from './faults.js'
import { type Plan, planOf } from './plan.js'
import { runPlan } from './run.js'
import type { Operation } from './workload.js'

/**
 * Every schedule of a small world: 2 processes, 1 key, a mutation and a change by SQL, in either order, and one fault of every kind
 * after every single event from just before the first change until the second one is delivered.
 */
export async function smallWorld(): Promise<Plan[]> {
  const plans: Plan[] = []
  for (const base of [basePlan(0, firstAt, secondAt), basePlan(1, secondAt, firstAt)]) {
    const { eventTimes } = await runPlan(base, { isTraced: true })
    const moments = new Set(eventTimes.filter((at) => at >= firstAt - 5 && at <= secondAt + 30))
    for (const at of moments) {
      for (const fault of everyFault(at + leastMs)) plans.push({ ...base, faults: [fault] })
    }
  }
  return plans
}

function basePlan(seed: number, mutationAt: number, sqlAt: number): Plan {
  const write = { keys: ['product_1'], exists: true, holdMs: 0 }
  const reads = readTimes.flatMap((at) =>
    [0, 1].map((process): Operation => ({ kind: 'read', at: at + process / 10, process, keys: ['product_1'] })),
  )
  const operations: Operation[] = [
    ...reads,
    { kind: 'mutate', at: mutationAt, process: 0, whileDelivering: [], thenRead: [0, 1].map(readAtOnce), ...write },
    { kind: 'sql', at: sqlAt, rollsBack: false, waits: true, thenRead: [0, 1].map(readAtOnce), ...write },
  ]
  return {
    ...planOf(seed, ['calm']),
    ...{ products: 1, bulk: 3, subscribed: [], redisConnections: 1, replicaLagMs: 1, fetchMs: [2, 6] },
    times: { softTtlMs: 1_800_000, graceMs: 600_000, negativeTtlMs: 60_000 },
    latency: { leastMs: 0.2, mostMs: 3, lateShare: 0.2 },
    operations: operations.sort((a, b) => a.at - b.at),
    activeMs: 2_600,
  }
}

function readAtOnce(process: number) {
  return { afterMs: 0, process, keys: ['product_1'] }
}

function everyFault(at: number): Fault[] {
  const processes = [0, 1]
  const connections = ['redis data', 'redis bus'] as const
  const durations = [60, 800]
  return durations.flatMap((forMs): Fault[] => [
    ...processes.flatMap((process): Fault[] => [
      ...connections.flatMap((which): Fault[] => [
        { kind: 'connections reset', at, forMs, process, which },
        { kind: 'connections stalled', at, forMs, process, which, direction: 'both' },
        { kind: 'connections stalled', at, forMs, process, which, direction: 'to client' },
        { kind: 'connections dead', at, forMs, process, which },
      ]),
      { kind: 'unreachable', at, forMs, process },
      { kind: 'process stopped', at, forMs, process },
      { kind: 'process killed', at, forMs, process },
      { kind: 'postgres connections reset', at, forMs, process, which: 'postgres' },
      { kind: 'redis split', at, forMs, process, leave: 'all', needsReplica: false },
    ]),
    { kind: 'redis hung', at, forMs },
    { kind: 'redis read-only', at, forMs },
    { kind: 'messages lost', at, forMs },
    ...(['none', 'as it was', 'older'] as const).map(
      (data): Fault => ({ kind: 'redis restarted', at, forMs, data, olderByMs: 100 }),
    ),
    ...(['replica', 'on its own'] as const).flatMap((old) =>
      [true, false].map((back): Fault => ({ kind: 'redis failed over', at, forMs, old, leave: 'all', back })),
    ),
  ])
}

const firstAt = 300
const secondAt = 400
const leastMs = 1e-6
const readTimes = [200, 220, 295, 301, 303, 306, 312, 330, 398, 401, 403, 406, 412, 430, 480, 700, 1_000, 1_300, 1_900, 2_500]
