import { Cache } from '../../packages/cached-resolvers/src/cache/cache.js'
import { CountedEntries } from '../../packages/cached-resolvers/src/cache/counted-entries.js'
import { MemoryStore } from '../../packages/cached-resolvers/src/cache/memory-store.js'
import type { EntryId, Namespace } from '../../packages/cached-resolvers/src/cache/namespace.js'
import type { CacheStore } from '../../packages/cached-resolvers/src/cache/store.js'
import { createChangeSource } from '../../packages/cached-resolvers/src/postgres/change-source.js'
import { Relay } from '../../packages/cached-resolvers/src/postgres/relay.js'
import { RedisStore } from '../../packages/cached-resolvers/src/redis/redis-store.js'
import type { Database } from '../../src/platform/database/connection.js'
import { liveKindsOf } from '../../src/platform/live/invalidation-targets.js'
import { LiveUpdates } from '../../src/platform/live/live-updates.js'
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
  /** How long a fetch takes in addition to the network, before and after the server reads the rows */
  fetchMs: () => [before: number, after: number]
}

interface Mutation {
  changes: readonly Change[]
  /** How long the transaction stays open after its statement */
  holdMs: number
  onCommitted: () => void
}

interface Environment {
  simulation: Simulation
  network: Network
  judge: Judge
}

/** One API process: the real engine, wired as in app.ts. */
export class ApiProcess {
  isReady = false
  /** Number of lookups by namespace, as the workload counts them */
  readonly lookups = new Map<string, number>()
  private readonly database: SimulatedDatabase
  private readonly feed: Database
  private readonly cache: Cache
  private readonly relay: Relay
  private readonly live: LiveUpdates
  private tokens = 0

  constructor(
    readonly process: SimulatedProcess,
    private readonly world: Environment,
    private readonly options: ApiOptions,
  ) {
    const { prefix, namespaces } = options
    const all = [namespaces.products, namespaces.lists]
    const statementMs = () => 0.1 + 0.4 * process.random.next()
    const pool = { purpose: 'postgres pool', maxConnections: options.poolSize }
    this.database = new SimulatedDatabase(world.network, process, pool, statementMs)
    const feedPool = { purpose: 'postgres feed', maxConnections: feedConnections }
    this.feed = new SimulatedDatabase(world.network, process, feedPool, statementMs).asDatabase
    const log = (message: string) => world.simulation.record(process.name, () => `logs "${message}"`)
    this.cache = new Cache({
      store: this.createStore(),
      prefix,
      version: 'v1',
      namespaces: all,
      near: options.backend === 'redis' ? { maxBytes: 1_000_000, maxStalenessMs: nearMaxStalenessMs } : null,
      leaseMs: 1_000,
      leaseWaitMs: 1_000,
      fetchLimits: { maxRunning: 20, maxRunMs: 11_000, maxWaiting: 200, maxWaitMs: 1_000 },
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
    this.live = new LiveUpdates({
      kinds: liveKindsOf(entities),
      ...{ database: this.feed, pollIntervalMs: 1_000, retentionMs: 300_000, maxQueued: 1_000, log },
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

  ownCounts(namespace: Namespace<unknown>) {
    return this.cache.ownCounts(namespace)
  }

  /** Reads like a loader: from the near store if possible, and everything that is missing there in one call. */
  async read(keys: readonly string[]): Promise<void> {
    const { judge } = this.world
    const namespace = this.namespaceOf(keys[0] as string)
    const reads = keys.map((key) => judge.beginRead(this.process.name, key))
    const missing = reads.filter((read) => {
      const value = this.cache.readNear<Row>(namespace, entryOf(read.key), new CountedEntries())
      if (value === undefined) return true
      this.count(namespace, 1)
      judge.endRead(read, value?.version ?? null, 'near')
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
        missing.map(async (read, index) => {
          try {
            judge.endRead(read, (await values[index])?.version ?? null, 'far')
          } catch (error) {
            judge.failRead(read, error)
          }
        }),
      )
    } catch (error) {
      for (const read of missing) judge.failRead(read, error)
    }
  }

  /**
   * Runs a mutation. Resolves with the versions that it wrote, at the time at which the client would get the answer. Rejects if
   * it failed.
   */
  async mutate({ changes, holdMs, onCommitted }: Mutation): Promise<ReadonlyMap<string, Version>> {
    let written: ReadonlyMap<string, Version> = new Map()
    const context: CommandContext = {
      database: this.database.asDatabase,
      cancellation: neverCancelled,
      onCommitted: (rows) => {
        onCommitted()
        return this.relay.deliverOwn(rows)
      },
    }
    await runCommand(context, async (sql) => {
      const transaction = sql as unknown as SimulatedTransaction
      await transaction.write(changes)
      written = await transaction.run((_, session, reply) => reply(new Map(session.transaction?.versions)))
      if (holdMs > 0) await sleep(holdMs)
    })
    return written
  }

  /**
   * Reads each changed key, as a subscription does to build its events. When a stream ends or a read fails, subscribes again and
   * reads all keys.
   */
  async subscribe(keys: readonly string[]): Promise<void> {
    const { judge } = this.world
    for (;;) {
      try {
        const stream = await this.live.subscribe(keys)
        judge.subscribed(this.process.name, keys)
        await Promise.all(keys.map((key) => this.readChanged(key)))
        for await (const key of stream) await this.readChanged(key)
      } catch (error) {
        this.world.simulation.record(this.process.name, () => `lost its subscription: ${String(error)}`)
      }
      await sleep(50)
    }
  }

  private async readChanged(key: string): Promise<void> {
    const namespace = this.namespaceOf(key)
    this.count(namespace, 1)
    const row = await this.cache.getOrFetch<Row, EntryId>(namespace, entryOf(key), (ids) =>
      this.fetch(ids.map((id) => [id, key])),
    )
    this.world.judge.delivered(this.process.name, key, row?.version ?? null)
  }

  private async fetch(requested: readonly (readonly [EntryId, string])[]): Promise<Map<EntryId, Row>> {
    const { simulation } = this.world
    const [beforeMs, afterMs] = this.options.fetchMs()
    const versions = await this.database.run<(Version | null)[]>((server, _, reply) => {
      simulation.schedule(beforeMs, null, 'io', () => {
        const read = requested.map(([, key]) => server.read(registerOf(key)))
        simulation.schedule(afterMs, null, 'io', () => reply(read))
      })
    })
    simulation.record(
      this.process.name,
      () => `fetched ${requested.map(([, key], index) => `${key} = ${versions[index]}`).join(', ')}`,
    )
    return new Map(
      requested.flatMap(([id], index) => {
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
      log: (message) => this.world.simulation.record(this.process.name, () => `logs "${message}"`),
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

const neverCancelled = { reason: undefined, onCancel: () => () => undefined }

/** The values of app.ts and the defaults of the configuration */
const feedConnections = 2
const trustLeaseMs = 2_000
const nearMaxStalenessMs = 500
