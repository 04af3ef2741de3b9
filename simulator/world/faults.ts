import type { Random } from '../../torture/random.js'
import type { Connection } from './network.js'
import type { RedisServer } from './redis-server.js'
import type { SimulatedProcess } from './simulation.js'

/** What faults strike: processes by their number, null for all */
export interface FaultTarget {
  readonly processNumbers: readonly number[]
  /** The server that the address leads to, for the first process */
  readonly redis: RedisServer
  /** Those whose purpose begins so */
  connections(process: number | null, purpose: string): Connection[]
  partition(process: number | null, address: string): () => void
  route(process: number, server: RedisServer): void
  routeAll(server: RedisServer): void
  /** Makes the other server the master, and the address lead there. null where it is dead, or an earlier one is not over. */
  failOver(): [before: RedisServer, after: RedisServer] | null
  failedOver(): void
  replicaLag(): number
  /** What the server held then, or as long before now as anything is known */
  snapshotBefore(ms: number): ReturnType<RedisServer['snapshot']>
  after(ms: number, run: () => void): void
  stop(process: number): (() => void) | undefined
  kill(process: number): void
  startProcess(process: number): void
  clockOf(process: number): SimulatedProcess
  /** Somebody at psql holds a row. */
  lockRow(key: string, rollsBack: boolean): () => void
}

interface Times {
  at: number
  forMs: number
}

type RedisConnections = 'redis' | 'redis data' | 'redis bus'
/** Which connections end that lead to a server that the address no longer leads to; `one` of each process's that ask for data */
const leaves = ['all', 'data', 'bus', 'one', 'none'] as const
type Leave = (typeof leaves)[number]

type PostgresConnections = 'postgres' | 'postgres pool' | 'postgres feed' | 'postgres listener'

/** `process`: the number of one, or null for all */
export type Fault = Times &
  (
    | { kind: 'connections reset'; process: number | null; which: RedisConnections }
    | { kind: 'connections stalled'; process: number | null; which: RedisConnections; direction: 'both' | 'to client' }
    /** Half-open: nothing arrives any more, and neither side hears of it. */
    | { kind: 'connections dead'; process: number | null; which: RedisConnections }
    /** They are reset again and again. */
    | { kind: 'connections flapping'; process: number | null; which: RedisConnections; everyMs: number }
    /** Every message comes later; in the end nothing arrives any more. */
    | { kind: 'connections dying'; process: number | null; which: RedisConnections; lateByMs: number }
    | { kind: 'unreachable'; process: number | null }
    | { kind: 'redis hung' }
    | { kind: 'redis restarted'; data: 'none' | 'as it was' | 'older'; olderByMs: number }
    | { kind: 'redis evicted'; count: number }
    /** The list of those who keep values near themselves is lost, again and again. */
    | { kind: 'members lost'; everyMs: number }
    | { kind: 'redis full' }
    /** It is a replica for a while, with the same connections. */
    | { kind: 'redis read-only' }
    /** Published messages do not arrive, as those of a cluster, or of a replica that was out of touch with its master, may not. */
    | { kind: 'messages lost' }
    /** The address leads to the replica. `old`: what becomes of the server that it led to before; `back`: whether it leads there again */
    | {
        kind: 'redis failed over'
        old: 'dead' | 'replica' | 'on its own'
        leave: Leave
        back: boolean
      }
    /** One process stays with the old server, the others follow the new one; then all do. */
    | { kind: 'redis split'; process: number; leave: Leave; needsReplica: boolean }
    | { kind: 'process stopped'; process: number }
    | { kind: 'process killed'; process: number }
    | { kind: 'clock jumped'; process: number; byMs: number }
    | { kind: 'postgres connections reset'; process: number | null; which: PostgresConnections }
    | { kind: 'postgres unreachable'; process: number | null }
    | { kind: 'row locked'; key: string; rollsBack: boolean }
  )

interface Shape extends Times {
  processes: number
  products: number
}

interface FaultKind<F extends Fault> {
  create: (random: Random, shape: Shape) => F
  /** Answers how to undo it, where there is something to undo. */
  begin: (world: FaultTarget, fault: F) => (() => void) | undefined
  /** How long after its end the last that it did may go on: a dead connection is known to be dead after seconds. */
  settleMs: number
  /** Of what keeps a process from carrying changes from the database to Redis: for how long after its end it still may */
  impairsForMs?: number
}

type FaultKinds = { [Kind in Fault['kind']]: FaultKind<Extract<Fault, { kind: Kind }>> }

export const faultKinds: FaultKinds = {
  'connections reset': {
    create: (random, shape) => ({
      ...times(shape),
      kind: 'connections reset',
      process: oneOrAll(random, shape),
      which: someOf(random),
    }),
    begin(world, { process, which }) {
      for (const connection of world.connections(process, which)) connection.reset()
      return undefined
    },
    settleMs: 3_000,
  },
  'connections stalled': {
    create: (random, shape) => ({
      ...{ ...times(shape), kind: 'connections stalled', process: oneOrAll(random, shape), which: someOf(random) },
      direction: random.pick(['both', 'to client']),
    }),
    begin(world, { process, which, direction }) {
      const ends = world.connections(process, which).map((connection) => connection.stall(direction))
      return () => {
        for (const end of ends) end()
      }
    },
    settleMs: 3_000,
    impairsForMs: 1_000,
  },
  'connections dead': {
    create: (random, shape) => ({
      ...times(shape),
      kind: 'connections dead',
      process: oneOrAll(random, shape),
      which: someOf(random),
    }),
    begin(world, { process, which }) {
      for (const connection of world.connections(process, which)) connection.stall('both')
      return undefined
    },
    settleMs: 8_000,
    impairsForMs: 7_000,
  },
  'connections flapping': {
    create: (random, shape) => ({
      ...{ ...times(shape), kind: 'connections flapping', process: oneOrAll(random, shape), which: someOf(random) },
      everyMs: random.pick([8, 60, 90, 130]),
    }),
    begin(world, { process, which, everyMs, forMs }) {
      for (let afterMs = 0; afterMs < forMs; afterMs += everyMs) {
        world.after(afterMs, () => {
          for (const connection of world.connections(process, which)) connection.reset()
        })
      }
      return undefined
    },
    settleMs: 3_000,
    impairsForMs: 1_500,
  },
  'connections dying': {
    create: (random, shape) => ({
      // Of two that no longer hear of a change, the one that does not deliver it shows it.
      ...{ ...times(shape), kind: 'connections dying', process: random.chance(0.7) ? null : oneOrAll(random, shape) },
      ...{ which: random.pick(['redis', 'redis bus', 'redis bus']), lateByMs: random.pick([200, 230]) },
    }),
    begin(world, { process, which, lateByMs }) {
      const connections = world.connections(process, which)
      for (const connection of connections) connection.slow(lateByMs)
      return () => {
        for (const connection of connections) connection.stall('both')
      }
    },
    settleMs: 8_000,
    impairsForMs: 7_000,
  },
  unreachable: {
    create: (random, shape) => ({ ...times(shape), kind: 'unreachable', process: oneOrAll(random, shape) }),
    begin: (world, { process }) => world.partition(process, 'redis'),
    settleMs: 4_000,
    impairsForMs: 3_000,
  },
  'redis hung': {
    create: (_, shape) => ({ ...times(shape), kind: 'redis hung' }),
    begin(world) {
      const { redis } = world
      redis.hang()
      return () => redis.resume()
    },
    settleMs: 4_000,
  },
  'redis restarted': {
    create: (random, shape) => ({
      ...{ ...times(shape), kind: 'redis restarted', data: random.pick(['none', 'as it was', 'older', 'older']) },
      ...{ forMs: Math.min(shape.forMs, random.pick([20, 200, 4_000])), olderByMs: random.pick([100, 1_000, 3_000]) },
    }),
    begin(world, { data, olderByMs }) {
      const { redis } = world
      const saved = data === 'older' ? world.snapshotBefore(olderByMs) : data === 'none' ? new Map() : redis.snapshot()
      redis.crash()
      return () => redis.start(saved)
    },
    settleMs: 3_000,
  },
  'redis evicted': {
    create: (random, shape) => ({ ...times(shape), kind: 'redis evicted', count: random.between(1, 6) }),
    begin(world, { count }) {
      world.redis.evict(count)
      return undefined
    },
    settleMs: 0,
  },
  'members lost': {
    create: (random, shape) => ({ ...times(shape), kind: 'members lost', everyMs: random.pick([20, 90, 400]) }),
    begin(world, { everyMs, forMs }) {
      for (let afterMs = 0; afterMs < forMs; afterMs += everyMs) world.after(afterMs, () => world.redis.loseMembers())
      return undefined
    },
    settleMs: 0,
  },
  'redis full': {
    create: (_, shape) => ({ ...times(shape), kind: 'redis full' }),
    begin(world) {
      const { redis } = world
      redis.isFull = true
      return () => {
        redis.isFull = false
      }
    },
    settleMs: 0,
  },
  'redis read-only': {
    create: (_, shape) => ({ ...times(shape), kind: 'redis read-only' }),
    begin(world) {
      const { redis } = world
      redis.role = 'replica'
      return () => redis.promote()
    },
    settleMs: 4_000,
  },
  'messages lost': {
    create: (_, shape) => ({ ...times(shape), kind: 'messages lost' }),
    begin(world) {
      const { redis } = world
      redis.losesMessages = true
      return () => {
        redis.losesMessages = false
      }
    },
    settleMs: 2_500,
  },
  'redis failed over': {
    create: (random, shape) => ({
      ...{ ...times(shape), kind: 'redis failed over', old: random.pick(['dead', 'replica', 'on its own']) },
      ...{ leave: random.pick(leaves), back: random.chance(0.5) },
    }),
    begin(world, { old, leave, back }) {
      const servers = world.failOver()
      if (!servers) return undefined
      const [before, after] = servers
      if (old === 'dead') before.crash()
      if (old === 'replica') before.replicate(after, () => world.replicaLag(), fullSyncMs(leave))
      leaveServer(world, before, leave)
      return () => {
        world.failedOver()
        if (!back || old === 'dead') return
        if (old === 'on its own') world.routeAll(before)
        else if (world.failOver()) world.failedOver()
        leaveServer(world, after, leave)
      }
    },
    settleMs: 4_000,
  },
  'redis split': {
    create: (random, shape) => ({
      ...{ ...times(shape), kind: 'redis split', process: random.between(0, shape.processes - 1) },
      ...{ leave: random.pick(leaves), needsReplica: random.chance(0.2) },
    }),
    begin(world, { process, leave, needsReplica }) {
      const servers = world.failOver()
      if (!servers) return undefined
      const [before, after] = servers
      before.needsReplica = needsReplica
      world.route(process, before)
      for (const other of world.processNumbers) {
        if (other !== process) for (const connection of world.connections(other, 'redis')) connection.reset()
      }
      return () => {
        world.failedOver()
        before.needsReplica = false
        before.replicate(after, () => world.replicaLag(), fullSyncMs(leave))
        world.route(process, after)
        leaveServer(world, before, leave)
      }
    },
    settleMs: 4_000,
  },
  'process stopped': {
    create: (random, shape) => ({ ...times(shape), kind: 'process stopped', process: random.between(0, shape.processes - 1) }),
    begin: (world, { process }) => world.stop(process),
    settleMs: 3_000,
    impairsForMs: 300,
  },
  'process killed': {
    create: (random, shape) => ({ ...times(shape), kind: 'process killed', process: random.between(0, shape.processes - 1) }),
    begin(world, { process }) {
      world.kill(process)
      return () => world.startProcess(process)
    },
    settleMs: 3_000,
    impairsForMs: 500,
  },
  'clock jumped': {
    create: (random, shape) => ({
      ...{ ...times(shape), kind: 'clock jumped', process: random.between(0, shape.processes - 1) },
      byMs: random.pick([-3_600_000, -1_000, 700, 30_000]),
    }),
    begin: (world, { process, byMs }) => {
      const clock = world.clockOf(process)
      clock.wallOffsetMs += byMs
      return () => {
        clock.wallOffsetMs -= byMs
      }
    },
    settleMs: 3_000,
  },
  'postgres connections reset': {
    create: (random, shape) => ({
      ...{ ...times(shape), kind: 'postgres connections reset', process: oneOrAll(random, shape) },
      which: random.pick(['postgres', 'postgres pool', 'postgres feed', 'postgres listener']),
    }),
    begin(world, { process, which }) {
      for (const connection of world.connections(process, which)) connection.reset()
      return undefined
    },
    settleMs: 3_000,
  },
  'postgres unreachable': {
    create: (random, shape) => ({ ...times(shape), kind: 'postgres unreachable', process: oneOrAll(random, shape) }),
    begin: (world, { process }) => world.partition(process, 'postgres'),
    settleMs: 12_000,
    impairsForMs: 9_000,
  },
  'row locked': {
    create: (random, shape) => ({
      ...{ ...times(shape), kind: 'row locked', rollsBack: random.chance(0.5) },
      key: `product_${random.between(1, shape.products)}`,
    }),
    begin: (world, { key, rollsBack }) => world.lockRow(key, rollsBack),
    settleMs: 4_000,
  },
}

/** Ends connections to a server that the address no longer leads to. */
function leaveServer(world: FaultTarget, server: RedisServer, which: Leave): void {
  if (which === 'all') server.resetClients()
  if (which === 'data') for (const connection of world.connections(null, 'redis data')) connection.reset()
  if (which === 'bus') for (const connection of world.connections(null, 'redis bus')) connection.reset()
  if (which === 'one') for (const process of world.processNumbers) world.connections(process, 'redis data')[0]?.reset()
}

/** A server that becomes a replica loads what its master holds once that has saved it. */
function fullSyncMs(leave: Leave): number {
  // Long enough for heartbeats to see, where connections stay open
  return leave === 'all' ? 20 : 250
}

function times({ at, forMs }: Shape): Times {
  return { at, forMs }
}

function oneOrAll(random: Random, { processes }: Shape): number | null {
  return random.chance(0.4) ? null : random.between(0, processes - 1)
}

function someOf(random: Random): RedisConnections {
  return random.pick(['redis', 'redis data', 'redis bus'])
}
