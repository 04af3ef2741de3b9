import { Cache } from '../../packages/cached-resolvers/src/cache/cache.js'
import { CountedEntries } from '../../packages/cached-resolvers/src/cache/counted-entries.js'
import { MemoryStore } from '../../packages/cached-resolvers/src/cache/memory-store.js'
import type { EntryId, Namespace } from '../../packages/cached-resolvers/src/cache/namespace.js'
import type { CacheStore } from '../../packages/cached-resolvers/src/cache/store.js'
import { createChangeSource } from '../../packages/cached-resolvers/src/postgres/change-source.js'
import { Relay } from '../../packages/cached-resolvers/src/postgres/relay.js'
import { RedisStore } from '../../packages/cached-resolvers/src/redis/redis-store.js'
import type { Database } from '../../src/platform/database/connection.js'
import { Live } from '../../src/platform/live/live.js'
import { liveKindsOf } from '../../src/platform/live/outdated.js'
import { type CommandContext, runCommand } from '../../src/shop/command.js'
import { entities } from '../../src/shop/entities.js'
import { SimulatedDatabase, type SimulatedTransaction } from './database.js'
import { setInterval, simulatedMonotonicNow, simulatedRandom, simulatedWallNow } from './globals.js'
import type { Judge } from './judge.js'
import type { Network } from './network.js'
import type { Change, Version } from './postgres-server.js'
import { entryOf, type Namespaces, registerOf } from './registers.js'
import type { SimulatedProcess, Simulation } from './simulation.js'
import { setTimeout as sleep } from './timers-promises.js'

export interface ApiOptions {
  prefix: string
  backend: 'redis' | 'memory'
  poolSize: number
  redisConnections: number
  namespaces: Namespaces
  /** How long a fetch takes beside its way, before and after the server read the rows */
  fetchMs: () => [before: number, after: number]
}

interface Mutation {
  changes: readonly Change[]
  /** How long the transaction stays open after its statement */
  holdMs: number
  onCommitted: () => void
}

interface Surroundings {
  simulation: Simulation
  network: Network
  judge: Judge
}

/** One process of the API: the real engine, wired as app.ts wires it. */
export class ApiProcess {
  isReady = false
  /** By namespace, what was asked of the cache */
  readonly lookups = new Map<string, number>()
  private readonly database: SimulatedDatabase
  private readonly feed: Database
  private readonly cache: Cache
  private readonly relay: Relay
  private readonly live: Live
  private tokens = 0

  constructor(
    readonly process: SimulatedProcess,
    private readonly world: Surroundings,
    private readonly options: ApiOptions,
  ) {
    const { prefix, namespaces } = options
    const all = [namespaces.products, namespaces.lists]
    const statementMs = () => 0.1 + 0.4 * process.random.next()
    const pool = { purpose: 'postgres pool', maxConnections: options.poolSize }
    this.database = new SimulatedDatabase(world.network, process, pool, statementMs)
    const feedPool = { purpose: 'postgres feed', maxConnections: feedConnections }
    this.feed = new SimulatedDatabase(world.network, process, feedPool, statementMs).asDatabase
    const log = (message: string) => world.simulation.tell(process.name, () => `logs "${message}"`)
    this.cache = new Cache({
      store: this.createStore(),
      prefix,
      version: 'v1',
      namespaces: all,
      near: options.backend === 'redis' ? { maxBytes: 1_000_000, maxStalenessMs: nearMaxStalenessMs } : null,
      leaseMs: 1_000,
      leaseWaitMs: 1_000,
      fetches: { maxRunning: 20, maxRunMs: 11_000, maxWaiting: 200, maxWaitMs: 1_000 },
      createToken: () => `${process.name}-${this.tokens++}`,
      now: simulatedWallNow,
      sleep,
      random: simulatedRandom,
      log,
    })
    this.relay = new Relay({
      ...{ database: this.feed, cache: this.cache, namespaces: all, intervalMs: 250, inUseMs: trustLeaseMs },
      ...{ maxWaitMs: nearMaxStalenessMs, observeLag: () => undefined, log },
      sleep: (ms) => sleep(ms) as Promise<void>,
    })
    this.live = new Live({
      kinds: liveKindsOf(entities),
      ...{ database: this.feed, intervalMs: 1_000, keptMs: 300_000, maxWaiting: 1_000, log },
      invalidate: (outdated) => this.relay.invalidate(outdated),
    })
  }

  get isTrusted(): boolean {
    return this.cache.trusted
  }

  async start(): Promise<void> {
    const { products, lists } = this.options.namespaces
    const names = [products.name, lists.name]
    const source = createChangeSource({ database: this.feed, relay: this.relay, namespaces: names, leaseMs: trustLeaseMs })
    await this.cache.connect(source)
    setInterval(() => void this.cache.flushCounts(), 1_000)
    await this.relay.start()
    await this.live.start()
    this.isReady = true
  }

  counted(namespace: Namespace<unknown>) {
    return this.cache.ownCounts(namespace)
  }

  /** Reads as a loader does: near where that is possible, else all that is missing in one call. */
  async read(keys: readonly string[]): Promise<void> {
    const { judge } = this.world
    const namespace = this.namespaceOf(keys[0] as string)
    const readings = keys.map((key) => judge.beganReading(this.process.name, key))
    const missing = readings.filter((reading) => {
      const value = this.cache.readNear<Row>(namespace, entryOf(reading.key), new CountedEntries())
      if (value === undefined) return true
      this.count(namespace, 1)
      judge.endedReading(reading, value?.version ?? null, 'near')
      return false
    })
    if (missing.length === 0) return
    this.count(namespace, missing.length)
    const idOf = new Map<EntryId, string>(missing.map(({ key }) => [entryOf(key), key]))
    try {
      const values = await this.cache.getOrFetchMany<Row, EntryId>(namespace, [...idOf.keys()], (ids) =>
        this.fetch(ids.map((id) => [id, idOf.get(id) as string])),
      )
      await Promise.all(
        missing.map(async (reading, index) => {
          try {
            judge.endedReading(reading, (await values[index])?.version ?? null, 'far')
          } catch (error) {
            judge.failedReading(reading, error)
          }
        }),
      )
    } catch (error) {
      for (const reading of missing) judge.failedReading(reading, error)
    }
  }

  /** A mutation: answers when the command has, with the rows that it wrote. Rejects where it came to nothing. */
  async mutate({ changes, holdMs, onCommitted }: Mutation): Promise<ReadonlyMap<string, Version>> {
    let written: ReadonlyMap<string, Version> = new Map()
    const context: CommandContext = {
      database: this.database.asDatabase,
      caller: patient,
      committed: (rows) => {
        onCommitted()
        return this.relay.deliverOwn(rows)
      },
    }
    await runCommand(context, async (its) => {
      const transaction = its as unknown as SimulatedTransaction
      await transaction.write(changes)
      written = await transaction.run((_, session, reply) => reply(new Map(session.transaction?.versions)))
      if (holdMs > 0) await sleep(holdMs)
    })
    return written
  }

  /** Reads whatever it is told of, as a subscriber's answer does; when a stream ends, or a read fails, it subscribes again and reads all. */
  async subscribe(keys: readonly string[]): Promise<void> {
    const { judge } = this.world
    for (;;) {
      try {
        const stream = await this.live.subscribe(keys)
        judge.subscribed(this.process.name, keys)
        await Promise.all(keys.map((key) => this.readTold(key)))
        for await (const key of stream) await this.readTold(key)
      } catch (error) {
        this.world.simulation.tell(this.process.name, () => `is told no more: ${String(error)}`)
      }
      await sleep(50)
    }
  }

  private async readTold(key: string): Promise<void> {
    const namespace = this.namespaceOf(key)
    this.count(namespace, 1)
    const row = await this.cache.getOrFetch<Row, EntryId>(namespace, entryOf(key), (ids) =>
      this.fetch(ids.map((id) => [id, key])),
    )
    this.world.judge.told(this.process.name, key, row?.version ?? null)
  }

  private async fetch(wanted: readonly (readonly [EntryId, string])[]): Promise<Map<EntryId, Row>> {
    const { simulation } = this.world
    const [beforeMs, afterMs] = this.options.fetchMs()
    const versions = await this.database.run<(Version | null)[]>((server, _, reply) => {
      simulation.schedule(beforeMs, null, 'io', () => {
        const read = wanted.map(([, key]) => server.read(registerOf(key)))
        simulation.schedule(afterMs, null, 'io', () => reply(read))
      })
    })
    simulation.tell(
      this.process.name,
      () => `fetched ${wanted.map(([, key], index) => `${key} = ${versions[index]}`).join(', ')}`,
    )
    return new Map(
      wanted.flatMap(([id], index) => {
        const version = versions[index] ?? null
        return version === null ? [] : [[id, { version }] as const]
      }),
    )
  }

  private createStore(): CacheStore {
    if (this.options.backend === 'memory') return new MemoryStore({ maxBytes: 1_000_000, now: simulatedMonotonicNow })
    return new RedisStore({
      target: { kind: 'server', url: 'redis' },
      connections: this.options.redisConnections,
      prefix: this.options.prefix,
      commandTimeoutMs: 250,
      healthIntervalMs: 1_000,
      log: (message) => this.world.simulation.tell(this.process.name, () => `logs "${message}"`),
    })
  }

  private namespaceOf(key: string): Namespace<Row> {
    const { products, lists } = this.options.namespaces
    return key.startsWith('product_') ? products : lists
  }

  private count({ name }: Namespace<unknown>, lookups: number): void {
    this.lookups.set(name, (this.lookups.get(name) ?? 0) + lookups)
  }
}

interface Row {
  version: number
}

const patient = { gaveUp: undefined, whenGivingUp: () => () => undefined }

/** As app.ts sets them, and the defaults of the configuration */
const feedConnections = 2
const trustLeaseMs = 2_000
const nearMaxStalenessMs = 500
