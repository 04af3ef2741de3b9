import { Random } from '../../torture/random.js'
import { type Fault, faultKinds } from './faults.js'
import type { Latency } from './network.js'
import { type ProfileName, profileNames } from './profiles.js'
import { listKey, listPages, productKeys } from './registers.js'

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

interface ReadAfter {
  afterMs: number
  process: number
  keys: readonly string[]
}

export type Operation = { at: number } & (
  | { kind: 'read'; process: number; keys: readonly string[] }
  | ({ kind: 'mutate'; process: number; thenRead: readonly ReadAfter[] } & Write)
  | ({ kind: 'sql'; rollsBack: boolean } & Write)
)

interface Write {
  keys: readonly string[]
  exists: boolean
  /** How long the transaction stays open after its statement */
  holdMs: number
}

/** One of the profiles for each seed, in turn, unless one is named. */
export function planOf(seed: number, profile: ProfileName = profileNames[seed % profileNames.length] as ProfileName): Plan {
  const random = new Random(seed, `plan ${profile}`)
  const processes = profile === 'mixed' && random.chance(0.3) ? 3 : 2
  const products = random.pick([1, 2, 4])
  const activeMs = random.pick([4_000, 6_000, 9_000])
  const faults = createFaults(random, profile, { processes, products, activeMs })
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

interface Shape {
  processes: number
  products: number
  activeMs: number
  faults: readonly Fault[]
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
    const second = Math.min(first + random.next() * random.pick([20, 400]), shape.activeMs - 1_000)
    return [0, 1].map((process) => Object.assign(create(process === 0 ? first : second), { process }))
  }
  const others = Array.from({ length: profile === 'mixed' ? random.between(1, 3) : random.pick([0, 0, 1]) }, () =>
    create(random.between(400, shape.activeMs - 1_500)),
  )
  return [create(first), ...others].sort((a, b) => a.at - b.at)
}

type FaultKind = Fault['kind']

const ofConnections: FaultKind[] = [
  ...(['connections reset', 'connections stalled', 'connections dead'] as const),
  ...(['connections flapping', 'connections dying', 'unreachable'] as const),
]
const ofServer: FaultKind[] = ['redis hung', 'redis restarted', 'redis restarted', 'redis evicted', 'redis full']
const ofProcesses: FaultKind[] = ['process stopped', 'process stopped', 'process killed', 'clock jumped']
const ofPostgres: FaultKind[] = ['postgres connections reset', 'postgres unreachable', 'row locked']

const faultsOf: Record<ProfileName, FaultKind[]> = {
  calm: [],
  connections: ofConnections,
  'redis server': ofServer,
  failover: ['redis failed over'],
  split: ['redis split'],
  processes: ofProcesses,
  postgres: ofPostgres,
  'locked row': ['row locked'],
  mixed: [...ofConnections, ...ofServer, ...ofProcesses, ...ofPostgres, 'redis failed over'],
  pairs: [...ofConnections, 'process stopped', 'redis hung'],
  'two memories': [],
  'two prefixes': [],
}

function createOperations(random: Random, shape: Shape): Operation[] {
  const { processes, activeMs, faults } = shape
  const operations: Operation[] = []
  const anyTime = () => random.between(200, activeMs)
  const keys = [...productKeys(shape.products), ...listPages]
  const read = (at: number, process = random.between(0, processes - 1)): Operation => {
    const many = random.chance(0.15)
    return { kind: 'read', at, process, keys: many ? productKeys(shape.products) : [random.pick(keys)] }
  }
  const readsPerSecond = random.pick([0, 1, 5, 30])
  for (let left = (readsPerSecond * activeMs) / 1000; left > 0; left -= 1) operations.push(read(anyTime()))
  // So that there is something to be wrong about
  for (let process = 0; process < processes; process += 1)
    operations.push({ ...read(200 + process, process), keys: productKeys(shape.products) } as Operation)

  const writes = Math.max(1, Math.round((random.pick([0.3, 1, 3]) * activeMs) / 1000))
  const apiShare = random.pick([0.2, 0.5, 0.9])
  const near = (at: number) => Math.max(200, Math.min(activeMs, at))
  const write = (at: number) => {
    const its = writeOf(random, shape)
    const before = random.between(0, 3)
    const after = random.between(1, 6)
    const readKeys = its.keys.map((key) => (key === listKey ? random.pick(listPages) : key))
    const readIt = (time: number, process = random.between(0, processes - 1)) =>
      operations.push({ kind: 'read', at: near(time), process, keys: [random.pick(readKeys)] })
    for (let left = before; left > 0; left -= 1) readIt(at - random.next() * random.pick([2, 20, 200]))
    for (let left = after; left > 0; left -= 1) readIt(at + random.next() * random.pick([5, 50, 800, 2_500]))
    if (random.chance(apiShare)) {
      const process = random.between(0, processes - 1)
      const thenRead = Array.from({ length: random.between(1, 4) }, (_, index) => ({
        afterMs: index === 0 ? 0 : random.next() * random.pick([3, 30, 400]),
        process: index < 2 ? process : random.between(0, processes - 1),
        keys: [random.pick(readKeys)],
      }))
      operations.push({ kind: 'mutate', at, process, thenRead, ...its })
    } else {
      operations.push({ kind: 'sql', at, rollsBack: random.chance(0.1), ...its })
    }
  }
  for (let left = writes; left > 0; left -= 1) write(anyTime())
  // More mutations wait for a row than there are connections to the database.
  const crowd = (at: number, key: string) => {
    for (let left = random.between(4, 24); left > 0; left -= 1) {
      const process = left % processes
      operations.push({
        kind: 'mutate',
        at: at + 1 + random.next() * 50,
        process,
        keys: [key],
        exists: true,
        holdMs: 0,
        thenRead: [],
      })
    }
    operations.push({
      kind: 'sql',
      at: at + 60 + random.next() * 500,
      keys: [listKey],
      exists: true,
      holdMs: 0,
      rollsBack: false,
    })
    for (let left = 20; left > 0; left -= 1)
      operations.push({ ...read(near(at + 200 * left)), keys: [random.pick(listPages)] } as Operation)
  }
  /** Changes that a process is just delivering, of what the others go on reading */
  const caughtInTheMiddle = (at: number, forMs: number) => {
    const key = random.pick(productKeys(shape.products))
    const readIt = (time: number) => operations.push({ ...read(near(time)), keys: [key] } as Operation)
    readIt(at - 60)
    operations.push({ kind: 'sql', at: at - 1 - random.next() * 5, keys: [key], exists: true, holdMs: 0, rollsBack: false })
    for (let left = random.between(1, 6); left > 0; left -= 1) readIt(at + random.next() * forMs)
  }
  // What a fault does shows in what is written and read around it.
  for (const fault of faults) {
    const { at, forMs } = fault
    const end = at + forMs
    if (fault.kind === 'row locked' && random.chance(0.5)) crowd(at, fault.key)
    if (fault.kind === 'process stopped') caughtInTheMiddle(at, forMs)
    if (random.chance(0.7)) write(near(at + random.next() * forMs))
    if (random.chance(0.5)) write(near(at - random.next() * random.pick([4, 50])))
    if (random.chance(0.3)) write(near(end - random.next() * 50))
    for (let left = random.between(0, 4); left > 0; left -= 1) operations.push(read(near(at + random.next() * (forMs + 200))))
    for (let left = random.between(1, 6); left > 0; left -= 1)
      operations.push(read(near(end + random.next() * random.pick([20, 300, 2_000]))))
  }
  return operations.sort((a, b) => a.at - b.at)
}

function writeOf(random: Random, { products }: Shape): Write {
  const holdMs = random.chance(0.15) ? random.pick([20, 300, 1_500]) : 0
  if (random.chance(0.15)) return { keys: [listKey], exists: true, holdMs }
  if (random.chance(0.2)) return { keys: productKeys(products), exists: true, holdMs }
  return { keys: [random.pick(productKeys(products))], exists: !random.chance(0.15), holdMs }
}
