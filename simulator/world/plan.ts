import { Random } from '../../torture/random.js'
import { type Fault, faultKinds } from './faults.js'
import type { Latency } from './network.js'
import { type ProfileName, profileNames } from './profiles.js'
import { createOperations, type Operation, type WorkloadOptions } from './workload.js'

/** Everything that a run does, as data. Equal plans give equal runs. */
export interface Plan {
  seed: number
  profile: ProfileName
  /** Key prefix, by process */
  prefixes: readonly string[]
  backend: 'redis' | 'memory'
  products: number
  /** If one statement changes more products than this, the whole namespace is invalidated. */
  bulkThreshold: number
  times: { softTtlMs: number; graceMs: number; negativeTtlMs: number }
  poolSize: number
  redisConnections: number
  latency: Latency
  /** Maximum duration of a fetch, before and after its rows are read */
  fetchMs: readonly [number, number]
  reportsRunId: boolean
  replicaLagMs: number
  /** Processes with a subscriber to all products */
  subscribedProcesses: readonly number[]
  operations: readonly Operation[]
  faults: readonly Fault[]
  /** The time by which all operations and faults have ended */
  activeMs: number
}

/** Creates the plan of a seed. Consecutive seeds take the profiles in turn. */
export function planOf(seed: number, profiles: readonly ProfileName[] = profileNames): Plan {
  const profile = profiles[seed % profiles.length] as ProfileName
  const random = new Random(seed, `plan ${profile}`)
  const processes = profile === 'mixed' && random.chance(0.3) ? 3 : 2
  const products = random.pick([1, 2, 4])
  const hasExpiredStore = (profile === 'failover' || profile === 'two memories') && random.chance(0.04)
  const activeMs = hasExpiredStore ? storeExpiryMs + 9_000 : random.pick([4_000, 6_000, 9_000])
  const faults = hasExpiredStore
    ? [expiredStoreFault(random, profile, activeMs)]
    : createFaults(random, profile, { processes, products, activeMs })
  const options = { processes, products, activeMs, faults }
  return {
    seed,
    profile,
    prefixes: Array.from({ length: processes }, (_, index) => (profile === 'two prefixes' && index > 0 ? 'other' : 'shop')),
    backend: profile === 'two memories' ? 'memory' : 'redis',
    products,
    bulkThreshold: random.pick([1, 3]),
    times: {
      softTtlMs: random.pick([900, 60_000, 1_800_000]),
      graceMs: random.pick([1_000, 600_000]),
      negativeTtlMs: random.pick([500, 60_000]),
    },
    poolSize: profile === 'locked row' ? random.between(2, 4) : 10,
    redisConnections: random.pick([1, 1, 2]),
    latency: random.pick(latencies),
    fetchMs: random.pick(fetchTimes),
    reportsRunId: !(profile === 'redis server' && random.chance(0.1)),
    replicaLagMs: random.pick([1, 50, 1_000]),
    subscribedProcesses: Array.from({ length: processes }, (_, index) => index).filter(() => random.chance(0.15)),
    operations: createOperations(random, options),
    faults,
    activeMs,
  }
}

const latencies: readonly Latency[] = [
  { minMs: 0.1, maxMs: 0.5, slowShare: 0.05 },
  { minMs: 0.2, maxMs: 8, slowShare: 0.3 },
  { minMs: 0.2, maxMs: 40, slowShare: 0.1 },
]

const fetchTimes: readonly (readonly [number, number])[] = [
  [1, 1],
  [10, 30],
  [50, 200],
]

function createFaults(random: Random, profile: ProfileName, options: Omit<WorkloadOptions, 'faults'>): Fault[] {
  const kinds = faultKindsOf[profile]
  if (kinds.length === 0) return []
  const create = (at: number): Fault => {
    const forMs = Math.min(random.pick([100, 400, 1_000, 2_500, 4_000, 6_000]), options.activeMs - at - 100)
    return faultKinds[random.pick(kinds)].create(random, { at, forMs, processes: options.processes, products: options.products })
  }
  const first = random.between(400, options.activeMs - 1_500)
  if (profile === 'pairs') {
    if (random.chance(0.5)) return lostClaimFaults(random, first)
    const second = Math.min(first + random.next() * random.pick([20, 400]), options.activeMs - 1_000)
    return [0, 1].map((process) => Object.assign(create(process === 0 ? first : second), { process }))
  }
  // These profiles find bugs without any fault, too.
  if ((profile === 'two memories' || profile === 'two prefixes') && random.chance(0.3)) return []
  const others = Array.from({ length: profile === 'mixed' ? random.between(1, 3) : random.pick([0, 0, 1]) }, () =>
    create(random.between(400, options.activeMs - 1_500)),
  )
  return [create(first), ...others].sort((a, b) => a.at - b.at)
}

/** A store comes back after it was unused for so long that it was unregistered and changes are no longer kept for it. */
function expiredStoreFault(random: Random, profile: ProfileName, activeMs: number): Fault {
  const times = { at: random.between(1_000, 3_000), forMs: activeMs - 5_000 }
  if (profile === 'two memories') return { kind: 'process stopped', ...times, process: 0 }
  return { kind: 'redis failed over', ...times, oldServer: 'standalone', reset: 'all', failsBack: true }
}

/** Includes the time until a process checks for unused stores */
const storeExpiryMs = 62_000

/**
 * When a process can reach Redis again, another process has claimed its outbox rows, but the connection of that other process is
 * dead. While the first process waits for the second, it loses its own connection again.
 */
function lostClaimFaults(random: Random, at: number): Fault[] {
  return [
    { kind: 'unreachable', at, forMs: random.pick([350, 700]), process: 0 },
    { kind: 'connections dead', at: at + 200, forMs: 1_000, process: 1, which: 'redis data' },
    { kind: 'connections reset', at: at + 400 + random.next() * 900, forMs: 100, process: 0, which: 'redis data' },
  ]
}

type FaultKind = Fault['kind']

const connectionFaults: FaultKind[] = [
  ...(['connections reset', 'connections stalled', 'connections dead'] as const),
  ...(['connections flapping', 'connections dying', 'connections dying', 'unreachable', 'messages lost'] as const),
]
const serverFaults: FaultKind[] = [
  ...(['redis hung', 'redis restarted', 'redis restarted', 'redis evicted', 'redis full', 'redis read-only'] as const),
  'members lost',
]
const processFaults: FaultKind[] = ['process stopped', 'process stopped', 'process killed', 'clock jumped']
const postgresFaults: FaultKind[] = ['postgres connections reset', 'postgres unreachable']

const faultKindsOf: Record<ProfileName, FaultKind[]> = {
  calm: [],
  connections: connectionFaults,
  'redis server': serverFaults,
  failover: ['redis failed over'],
  split: ['redis split'],
  processes: processFaults,
  postgres: postgresFaults,
  'locked row': ['row locked'],
  mixed: [...connectionFaults, ...serverFaults, ...processFaults, ...postgresFaults, 'row locked', 'redis failed over'],
  pairs: [...connectionFaults, 'process stopped', 'redis hung', 'members lost'],
  'two memories': [...processFaults, ...postgresFaults],
  'two prefixes': [...connectionFaults, ...serverFaults, ...processFaults, ...postgresFaults, 'redis failed over'],
}
