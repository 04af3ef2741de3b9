import type { Fault } from './faults.js'
import { type Plan, planOf } from './plan.js'
import { runPlan } from './run.js'
import type { Operation } from './workload.js'

/**
 * All schedules of the small world: 2 processes, 1 key, a mutation and a change by SQL in either order, and one fault of each
 * kind after every single event, from just before the first change until the second change is delivered.
 */
export async function smallWorld(): Promise<Plan[]> {
  const plans: Plan[] = []
  for (const base of [basePlan(0, firstAt, secondAt), basePlan(1, secondAt, firstAt)]) {
    const { eventTimes } = await runPlan(base, { isTraced: true })
    const moments = new Set(eventTimes.filter((at) => at >= firstAt - 5 && at <= secondAt + 30))
    for (const at of moments) {
      for (const fault of allFaultsAt(at + justAfterMs)) plans.push({ ...base, faults: [fault] })
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
    { kind: 'mutate', at: mutationAt, process: 0, readsDuringDelivery: [], readsAfter: [0, 1].map(immediateRead), ...write },
    { kind: 'sql', at: sqlAt, rollsBack: false, waits: true, readsAfter: [0, 1].map(immediateRead), ...write },
  ]
  return {
    ...planOf(seed, ['calm']),
    ...{ products: 1, bulkThreshold: 3, subscribedProcesses: [], redisConnections: 1, replicaLagMs: 1, fetchMs: [2, 6] },
    times: { softTtlMs: 1_800_000, graceMs: 600_000, negativeTtlMs: 60_000 },
    latency: { minMs: 0.2, maxMs: 3, slowShare: 0.2 },
    operations: operations.sort((a, b) => a.at - b.at),
    activeMs: 2_600,
  }
}

function immediateRead(process: number) {
  return { afterMs: 0, process, keys: ['product_1'] }
}

function allFaultsAt(at: number): Fault[] {
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
      { kind: 'redis split', at, forMs, process, reset: 'all', needsReplica: false },
    ]),
    { kind: 'redis hung', at, forMs },
    { kind: 'redis read-only', at, forMs },
    { kind: 'messages lost', at, forMs },
    ...(['none', 'as it was', 'older'] as const).map(
      (data): Fault => ({ kind: 'redis restarted', at, forMs, data, olderByMs: 100 }),
    ),
    ...(['replica', 'standalone'] as const).flatMap((oldServer) =>
      [true, false].map((failsBack): Fault => ({ kind: 'redis failed over', at, forMs, oldServer, reset: 'all', failsBack })),
    ),
  ])
}

const firstAt = 300
const secondAt = 400
const justAfterMs = 1e-6
const readTimes = [200, 220, 295, 301, 303, 306, 312, 330, 398, 401, 403, 406, 412, 430, 480, 700, 1_000, 1_300, 1_900, 2_500]
