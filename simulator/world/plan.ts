import { Random } from '../../torture/random.js'
import { type Fault, faultKinds } from './faults.js'
import type { Latency } from './network.js'
import { type ProfileName, profileNames } from './profiles.js'
import { createOperations, type Operation, type Shape } from './workload.js'

/** Everything that a run does, as data: a run of the same plan is the same run. */
export interface Plan {
  seed: number
  profile: ProfileName
  /** Prefix of the keys, by process */
  prefixes: readonly string[]
  backend: 'redis' | 'memory'
  products: number
  /** Over so many products in one statement the whole namespace is noted. */
  bulk: number
  times: { softTtlMs: number; graceMs: number; negativeTtlMs: number }
  poolSize: number
  redisConnections: number
  latency: Latency
  /** The longest that a fetch takes, before and after its rows were read */
  fetchMs: readonly [number, number]
  tellsRunId: boolean
  replicaLagMs: number
  /** Processes with somebody subscribed to all products */
  subscribed: readonly number[]
  operations: readonly Operation[]
  faults: readonly Fault[]
  /** Operations and faults end by then. */
  activeMs: number
}

/** One of the profiles for each seed, in turn */
export function planOf(seed: number, profiles: readonly ProfileName[] = profileNames): Plan {
  const profile = profiles[seed % profiles.length] as ProfileName
  const random = new Random(seed, `plan ${profile}`)
  const processes = profile === 'mixed' && random.chance(0.3) ? 3 : 2
  const products = random.pick([1, 2, 4])
  const isForgetful = (profile === 'failover' || profile === 'two memories') && random.chance(0.04)
  const activeMs = isForgetful ? forgottenAfterMs + 9_000 : random.pick([4_000, 6_000, 9_000])
  const faults = isForgetful
    ? [forgotten(random, profile, activeMs)]
    : createFaults(random, profile, { processes, products, activeMs })
  const shape = { processes, products, activeMs, faults }
  return {
    seed,
    profile,
    prefixes: Array.from({ length: processes }, (_, index) => (profile === 'two prefixes' && index > 0 ? 'other' : 'shop')),
    backend: profile === 'two memories' ? 'memory' : 'redis',
    products,
    bulk: random.pick([1, 3]),
    times: {
      softTtlMs: random.pick([900, 60_000, 1_800_000]),
      graceMs: random.pick([1_000, 600_000]),
      negativeTtlMs: random.pick([500, 60_000]),
    },
    poolSize: profile === 'locked row' ? random.between(2, 4) : 10,
    redisConnections: random.pick([1, 1, 2]),
    latency: random.pick(latencies),
    fetchMs: random.pick(fetchTimes),
    tellsRunId: !(profile === 'redis server' && random.chance(0.1)),
    replicaLagMs: random.pick([1, 50, 1_000]),
    subscribed: Array.from({ length: processes }, (_, index) => index).filter(() => random.chance(0.15)),
    operations: createOperations(random, shape),
    faults,
    activeMs,
  }
}

const latencies: readonly Latency[] = [
  { leastMs: 0.1, mostMs: 0.5, lateShare: 0.05 },
  { leastMs: 0.2, mostMs: 8, lateShare: 0.3 },
  { leastMs: 0.2, mostMs: 40, lateShare: 0.1 },
]

const fetchTimes: readonly (readonly [number, number])[] = [
  [1, 1],
  [10, 30],
  [50, 200],
]

function createFaults(random: Random, profile: ProfileName, shape: Omit<Shape, 'faults'>): Fault[] {
  const kinds = faultsOf[profile]
  if (kinds.length === 0) return []
  const create = (at: number): Fault => {
    const forMs = Math.min(random.pick([100, 400, 1_000, 2_500, 4_000, 6_000]), shape.activeMs - at - 100)
    return faultKinds[random.pick(kinds)].create(random, { at, forMs, processes: shape.processes, products: shape.products })
  }
  const first = random.between(400, shape.activeMs - 1_500)
  if (profile === 'pairs') {
    if (random.chance(0.5)) return handedOn(random, first)
    const second = Math.min(first + random.next() * random.pick([20, 400]), shape.activeMs - 1_000)
    return [0, 1].map((process) => Object.assign(create(process === 0 ? first : second), { process }))
  }
  // A fleet of this kind is put to the test by having no fault, too.
  if ((profile === 'two memories' || profile === 'two prefixes') && random.chance(0.3)) return []
  const others = Array.from({ length: profile === 'mixed' ? random.between(1, 3) : random.pick([0, 0, 1]) }, () =>
    create(random.between(400, shape.activeMs - 1_500)),
  )
  return [create(first), ...others].sort((a, b) => a.at - b.at)
}

/** A store comes back that nobody has used for so long that it is not owed anything any more. */
function forgotten(random: Random, profile: ProfileName, activeMs: number): Fault {
  const times = { at: random.between(1_000, 3_000), forMs: activeMs - 5_000 }
  if (profile === 'two memories') return { kind: 'process stopped', ...times, process: 0 }
  return { kind: 'redis failed over', ...times, old: 'on its own', leave: 'all', back: true }
}

/** And what it takes until a process looks */
const forgottenAfterMs = 62_000

/**
 * When one process can reach Redis again, what it owes is in the hands of another, whose connection is dead by now; while it waits for that
 * one, it loses its own connection once more.
 */
function handedOn(random: Random, at: number): Fault[] {
  return [
    { kind: 'unreachable', at, forMs: random.pick([350, 700]), process: 0 },
    { kind: 'connections dead', at: at + 200, forMs: 1_000, process: 1, which: 'redis data' },
    { kind: 'connections reset', at: at + 400 + random.next() * 900, forMs: 100, process: 0, which: 'redis data' },
  ]
}

type FaultKind = Fault['kind']

const ofConnections: FaultKind[] = [
  ...(['connections reset', 'connections stalled', 'connections dead'] as const),
  ...(['connections flapping', 'connections dying', 'connections dying', 'unreachable', 'messages lost'] as const),
]
const ofServer: FaultKind[] = [
  ...(['redis hung', 'redis restarted', 'redis restarted', 'redis evicted', 'redis full', 'redis read-only'] as const),
  'members lost',
]
const ofProcesses: FaultKind[] = ['process stopped', 'process stopped', 'process killed', 'clock jumped']
const ofPostgres: FaultKind[] = ['postgres connections reset', 'postgres unreachable']

const faultsOf: Record<ProfileName, FaultKind[]> = {
  calm: [],
  connections: ofConnections,
  'redis server': ofServer,
  failover: ['redis failed over'],
  split: ['redis split'],
  processes: ofProcesses,
  postgres: ofPostgres,
  'locked row': ['row locked'],
  mixed: [...ofConnections, ...ofServer, ...ofProcesses, ...ofPostgres, 'row locked', 'redis failed over'],
  pairs: [...ofConnections, 'process stopped', 'redis hung', 'members lost'],
  'two memories': [...ofProcesses, ...ofPostgres],
  'two prefixes': [...ofConnections, ...ofServer, ...ofProcesses, ...ofPostgres, 'redis failed over'],
}
