import type { Random } from '../../torture/random.js'
import type { Connection } from './network.js'
import type { RedisServer } from './redis-server.js'
import type { SimulatedProcess } from './simulation.js'

/** The part of the world that faults act on. Processes are given by number; null means all of them. */
export interface FaultTarget {
  readonly processNumbers: readonly number[]
  /** The server to which the address of Redis leads for the first process */
  readonly redis: RedisServer
  /** The open connections whose purpose starts with `purpose` */
  connections(process: number | null, purpose: string): Connection[]
  partition(process: number | null, address: string): () => void
  route(process: number, server: RedisServer): void
  routeAll(server: RedisServer): void
  /**
   * Promotes the other server and routes the address to it. Returns null if that server is down or an earlier failover has not
   * ended.
   */
  failOver(): [before: RedisServer, after: RedisServer] | null
  endFailover(): void
  replicaLag(): number
  /** The data of the server `ms` ago; the oldest snapshot if there is none that old */
  snapshotBefore(ms: number): ReturnType<RedisServer['snapshot']>
  after(ms: number, run: () => void): void
  stop(process: number): (() => void) | undefined
  kill(process: number): void
  startProcess(process: number): void
  clockOf(process: number): SimulatedProcess
  /** Locks a row as an open transaction in psql does. Returns a function that ends the transaction. */
  lockRow(key: string, rollsBack: boolean): () => void
}

interface FaultTimes {
  at: number
  forMs: number
}

type RedisConnections = 'redis' | 'redis data' | 'redis bus'
/** Which connections to a server are reset when the address no longer leads to it; `one`: one data connection of each process */
const resetScopes = ['all', 'data', 'bus', 'one', 'none'] as const
type ResetScope = (typeof resetScopes)[number]

type PostgresConnections = 'postgres' | 'postgres pool' | 'postgres feed' | 'postgres listener'

/** `process`: the number of a process, or null for all */
export type Fault = FaultTimes &
  (
    | { kind: 'connections reset'; process: number | null; which: RedisConnections }
    | { kind: 'connections stalled'; process: number | null; which: RedisConnections; direction: 'both' | 'to client' }
    /** Half-open: nothing arrives any more, and neither side notices. */
    | { kind: 'connections dead'; process: number | null; which: RedisConnections }
    /** They are reset every `everyMs`. */
    | { kind: 'connections flapping'; process: number | null; which: RedisConnections; everyMs: number }
    /** Every message is delayed; at the end nothing arrives any more. */
    | { kind: 'connections dying'; process: number | null; which: RedisConnections; extraDelayMs: number }
    | { kind: 'unreachable'; process: number | null }
    | { kind: 'redis hung' }
    | { kind: 'redis restarted'; data: 'none' | 'as it was' | 'older'; olderByMs: number }
    | { kind: 'redis evicted'; count: number }
    /** The list of the processes with a near store is lost every `everyMs`. */
    | { kind: 'members lost'; everyMs: number }
    | { kind: 'redis full' }
    /** The server becomes a replica for a while and keeps its connections. */
    | { kind: 'redis read-only' }
    /** Published messages are lost, as in a cluster, or on a replica that was disconnected from its master. */
    | { kind: 'messages lost' }
    /**
     * The address leads to the replica. `oldServer`: what becomes of the former master; `failsBack`: whether the address leads to
     * it again at the end
     */
    | {
        kind: 'redis failed over'
        oldServer: 'dead' | 'replica' | 'standalone'
        reset: ResetScope
        failsBack: boolean
      }
    /** Split brain: one process stays with the old server, the others use the new one. At the end all use the new one. */
    | { kind: 'redis split'; process: number; reset: ResetScope; needsReplica: boolean }
    | { kind: 'process stopped'; process: number }
    | { kind: 'process killed'; process: number }
    | { kind: 'clock jumped'; process: number; byMs: number }
    | { kind: 'postgres connections reset'; process: number | null; which: PostgresConnections }
    | { kind: 'postgres unreachable'; process: number | null }
    | { kind: 'row locked'; key: string; rollsBack: boolean }
  )

interface FaultInput extends FaultTimes {
  processes: number
  products: number
}

interface FaultKind<F extends Fault> {
  create: (random: Random, input: FaultInput) => F
  /** Starts the fault. Returns a function that ends it, if it has to be ended. */
  begin: (world: FaultTarget, fault: F) => (() => void) | undefined
  /** How long effects last after the end of the fault: a dead connection is only noticed after seconds. */
  settleMs: number
  /** For faults that keep a process from delivering changes from the database to Redis: how long after the end that may last */
  impairsDeliveryMs?: number
}

type FaultKinds = { [Kind in Fault['kind']]: FaultKind<Extract<Fault, { kind: Kind }>> }

export const faultKinds: FaultKinds = {
  'connections reset': {
    create: (random, input) => ({
      ...times(input),
      kind: 'connections reset',
      process: pickProcess(random, input),
      which: pickRedisConnections(random),
    }),
    begin(world, { process, which }) {
      for (const connection of world.connections(process, which)) connection.reset()
      return undefined
    },
    settleMs: 3_000,
  },
  'connections stalled': {
    create: (random, input) => ({
      ...{
        ...times(input),
        kind: 'connections stalled',
        process: pickProcess(random, input),
        which: pickRedisConnections(random),
      },
      direction: random.pick(['both', 'to client']),
    }),
    begin(world, { process, which, direction }) {
      const ends = world.connections(process, which).map((connection) => connection.stall(direction))
      return () => {
        for (const end of ends) end()
      }
    },
    settleMs: 3_000,
    impairsDeliveryMs: 1_000,
  },
  'connections dead': {
    create: (random, input) => ({
      ...times(input),
      kind: 'connections dead',
      process: pickProcess(random, input),
      which: pickRedisConnections(random),
    }),
    begin(world, { process, which }) {
      for (const connection of world.connections(process, which)) connection.stall('both')
      return undefined
    },
    settleMs: 8_000,
    impairsDeliveryMs: 7_000,
  },
  'connections flapping': {
    create: (random, input) => ({
      ...{
        ...times(input),
        kind: 'connections flapping',
        process: pickProcess(random, input),
        which: pickRedisConnections(random),
      },
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
    impairsDeliveryMs: 1_500,
  },
  'connections dying': {
    create: (random, input) => ({
      // If both processes miss the message, the one that does not deliver the change exposes a missing guard.
      ...{ ...times(input), kind: 'connections dying', process: random.chance(0.7) ? null : pickProcess(random, input) },
      ...{ which: random.pick(['redis', 'redis bus', 'redis bus']), extraDelayMs: random.pick([200, 230]) },
    }),
    begin(world, { process, which, extraDelayMs }) {
      const connections = world.connections(process, which)
      for (const connection of connections) connection.delay(extraDelayMs)
      return () => {
        for (const connection of connections) connection.stall('both')
      }
    },
    settleMs: 8_000,
    impairsDeliveryMs: 7_000,
  },
  unreachable: {
    create: (random, input) => ({ ...times(input), kind: 'unreachable', process: pickProcess(random, input) }),
    begin: (world, { process }) => world.partition(process, 'redis'),
    settleMs: 4_000,
    impairsDeliveryMs: 3_000,
  },
  'redis hung': {
    create: (_, input) => ({ ...times(input), kind: 'redis hung' }),
    begin(world) {
      const { redis } = world
      redis.hang()
      return () => redis.resume()
    },
    settleMs: 4_000,
  },
  'redis restarted': {
    create: (random, input) => ({
      ...{ ...times(input), kind: 'redis restarted', data: random.pick(['none', 'as it was', 'older', 'older']) },
      ...{ forMs: Math.min(input.forMs, random.pick([20, 200, 4_000])), olderByMs: random.pick([100, 1_000, 3_000]) },
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
    create: (random, input) => ({ ...times(input), kind: 'redis evicted', count: random.between(1, 6) }),
    begin(world, { count }) {
      world.redis.evict(count)
      return undefined
    },
    settleMs: 0,
  },
  'members lost': {
    create: (random, input) => ({ ...times(input), kind: 'members lost', everyMs: random.pick([20, 90, 400]) }),
    begin(world, { everyMs, forMs }) {
      for (let afterMs = 0; afterMs < forMs; afterMs += everyMs) world.after(afterMs, () => world.redis.deleteMembers())
      return undefined
    },
    settleMs: 0,
  },
  'redis full': {
    create: (_, input) => ({ ...times(input), kind: 'redis full' }),
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
    create: (_, input) => ({ ...times(input), kind: 'redis read-only' }),
    begin(world) {
      const { redis } = world
      redis.role = 'replica'
      return () => redis.promote()
    },
    settleMs: 4_000,
  },
  'messages lost': {
    create: (_, input) => ({ ...times(input), kind: 'messages lost' }),
    begin(world) {
      const { redis } = world
      redis.dropsMessages = true
      return () => {
        redis.dropsMessages = false
      }
    },
    settleMs: 2_500,
  },
  'redis failed over': {
    create: (random, input) => ({
      ...{ ...times(input), kind: 'redis failed over', oldServer: random.pick(['dead', 'replica', 'standalone']) },
      ...{ reset: random.pick(resetScopes), failsBack: random.chance(0.5) },
    }),
    begin(world, { oldServer, reset, failsBack }) {
      const servers = world.failOver()
      if (!servers) return undefined
      const [before, after] = servers
      if (oldServer === 'dead') before.crash()
      if (oldServer === 'replica') before.replicate(after, () => world.replicaLag(), fullSyncMs(reset))
      resetConnections(world, before, reset)
      return () => {
        world.endFailover()
        if (!failsBack || oldServer === 'dead') return
        if (oldServer === 'standalone') world.routeAll(before)
        else if (world.failOver()) world.endFailover()
        resetConnections(world, after, reset)
      }
    },
    settleMs: 4_000,
  },
  'redis split': {
    create: (random, input) => ({
      ...{ ...times(input), kind: 'redis split', process: random.between(0, input.processes - 1) },
      ...{ reset: random.pick(resetScopes), needsReplica: random.chance(0.2) },
    }),
    begin(world, { process, reset, needsReplica }) {
      const servers = world.failOver()
      if (!servers) return undefined
      const [before, after] = servers
      before.needsReplica = needsReplica
      world.route(process, before)
      for (const other of world.processNumbers) {
        if (other !== process) for (const connection of world.connections(other, 'redis')) connection.reset()
      }
      return () => {
        world.endFailover()
        before.needsReplica = false
        before.replicate(after, () => world.replicaLag(), fullSyncMs(reset))
        world.route(process, after)
        resetConnections(world, before, reset)
      }
    },
    settleMs: 4_000,
  },
  'process stopped': {
    create: (random, input) => ({ ...times(input), kind: 'process stopped', process: random.between(0, input.processes - 1) }),
    begin: (world, { process }) => world.stop(process),
    settleMs: 3_000,
    impairsDeliveryMs: 300,
  },
  'process killed': {
    create: (random, input) => ({ ...times(input), kind: 'process killed', process: random.between(0, input.processes - 1) }),
    begin(world, { process }) {
      world.kill(process)
      return () => world.startProcess(process)
    },
    settleMs: 3_000,
    impairsDeliveryMs: 500,
  },
  'clock jumped': {
    create: (random, input) => ({
      ...{ ...times(input), kind: 'clock jumped', process: random.between(0, input.processes - 1) },
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
    create: (random, input) => ({
      ...{ ...times(input), kind: 'postgres connections reset', process: pickProcess(random, input) },
      which: random.pick(['postgres', 'postgres pool', 'postgres feed', 'postgres listener']),
    }),
    begin(world, { process, which }) {
      for (const connection of world.connections(process, which)) connection.reset()
      return undefined
    },
    settleMs: 3_000,
  },
  'postgres unreachable': {
    create: (random, input) => ({ ...times(input), kind: 'postgres unreachable', process: pickProcess(random, input) }),
    begin: (world, { process }) => world.partition(process, 'postgres'),
    settleMs: 12_000,
    impairsDeliveryMs: 9_000,
  },
  'row locked': {
    create: (random, input) => ({
      ...{ ...times(input), kind: 'row locked', rollsBack: random.chance(0.5) },
      key: `product_${random.between(1, input.products)}`,
    }),
    begin: (world, { key, rollsBack }) => world.lockRow(key, rollsBack),
    settleMs: 4_000,
  },
}

/** Resets connections to a server to which the address no longer leads. */
function resetConnections(world: FaultTarget, server: RedisServer, which: ResetScope): void {
  if (which === 'all') server.resetClients()
  if (which === 'data') for (const connection of world.connections(null, 'redis data')) connection.reset()
  if (which === 'bus') for (const connection of world.connections(null, 'redis bus')) connection.reset()
  if (which === 'one') for (const process of world.processNumbers) world.connections(process, 'redis data')[0]?.reset()
}

/** How long a new replica takes until it has loaded the data of its master */
function fullSyncMs(reset: ResetScope): number {
  // If connections stay open, long enough for heartbeats to notice
  return reset === 'all' ? 20 : 250
}

function times({ at, forMs }: FaultInput): FaultTimes {
  return { at, forMs }
}

function pickProcess(random: Random, { processes }: FaultInput): number | null {
  return random.chance(0.4) ? null : random.between(0, processes - 1)
}

function pickRedisConnections(random: Random): RedisConnections {
  return random.pick(['redis', 'redis data', 'redis bus'])
}
