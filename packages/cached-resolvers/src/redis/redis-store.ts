import calculateSlot from 'cluster-key-slot'
import { type Cluster, type Redis, ReplyError } from 'ioredis'
import { Acknowledgements } from '../cache/acknowledgements.js'
import { Breaker } from '../cache/breaker.js'
import { CombinedReads } from '../cache/combined-reads.js'
import { withDeadline } from '../cache/deadline.js'
import {
  type BucketAddition,
  type CacheStore,
  type StoreInfo,
  StoreUnavailableError,
  type Swap,
  type SwapAnswer,
  type Watch,
  type Watcher,
} from '../cache/store.js'
import { connectTimeoutMs, createClient, type RedisTarget } from './redis-clients.js'
import type { ScriptedClient } from './redis-scripts.js'
import { SentinelWatch } from './redis-sentinels.js'
import { acknowledgePrefix, infoField, membersKey, RedisWatch, sequenceKey, withHashTag } from './redis-watch.js'

export interface RedisStoreOptions {
  /** A plain URL is that of a single server. */
  target: RedisTarget | string
  /** Prefix of the cache; part of the name of the channel on which its processes publish removals */
  prefix: string
  /** Default: 1 */
  connections?: number
  /** Timeout of a command. Default: 250 */
  commandTimeoutMs?: number
  /** Interval of health checks (PING); after an outage the server is used again within this time. Default: 1,000 */
  healthIntervalMs?: number
  log?: (message: string, level: 'info' | 'warn') => void
}

function withDefaults({ target, prefix, ...others }: RedisStoreOptions) {
  return {
    ...{ connections: 1, commandTimeoutMs: 250, healthIntervalMs: 1_000, log: () => {}, ...others },
    target: typeof target === 'string' ? ({ kind: 'server', url: target } as const) : target,
    channel: `${prefix}:removals`,
  }
}

/** The server is reachable, but not usable. */
class ServerError extends Error {
  override readonly name = 'ServerError'
}

class NoAnswerError extends Error {
  override readonly name = 'NoAnswerError'
}

/** Stores entries in a Redis or Valkey server or cluster. While it is unreachable, methods reject at once instead of waiting. */
export class RedisStore implements CacheStore {
  readonly backend: CacheStore['backend']
  private readonly clients: ScriptedClient[]
  private readonly breaker = new Breaker(3)
  private readonly watches = new Map<Watcher, RedisWatch>()
  private readonly reads = new CombinedReads((keys) => this.run((client) => this.get(client, keys)))
  private sentinelWatch: SentinelWatch | undefined
  /** The error that ended or prevented the last connection; undefined once a connection is ready */
  private lastError: Error | undefined
  private nextClient = 0
  private reconnectedAt = Number.NEGATIVE_INFINITY
  private healthTimer: NodeJS.Timeout | undefined
  private readonly logged = new Set<string>()

  private readonly options: ReturnType<typeof withDefaults>

  constructor(storeOptions: RedisStoreOptions) {
    const options = withDefaults(storeOptions)
    this.options = options
    this.backend = options.target.kind === 'cluster' ? 'redis-cluster' : 'redis'
    this.clients = Array.from({ length: options.connections }, () => {
      return createClient({ ...options, onError: (error) => this.recordError(error) })
    })
    for (const client of this.clients) this.observeConnection(client)
  }

  get answering(): boolean {
    return !this.breaker.open
  }

  async connect(): Promise<void> {
    const { target } = this.options
    if (target.kind === 'sentinel') this.sentinelWatch = new SentinelWatch(target, () => this.reconnect())
    // If the first attempt fails, it is retried in the background like a lost connection.
    const timeoutError = () => new Error('not connected in time')
    await Promise.all(
      this.clients.map((client) => withDeadline(firstAttempt(client), connectTimeoutMs, timeoutError).catch(() => undefined)),
    )
    this.healthTimer = setInterval(() => void this.ping().catch(() => undefined), this.options.healthIntervalMs)
    this.healthTimer.unref()
  }

  async close(): Promise<void> {
    clearInterval(this.healthTimer)
    this.sentinelWatch?.stop()
    await Promise.all(this.clients.map((client) => this.withTimeout(client.quit()).catch(() => client.disconnect())))
  }

  /** The only command sent while the circuit breaker is open; its success closes the breaker. */
  async ping(): Promise<number> {
    const startedAt = performance.now()
    await this.observe(() => this.client().ping())
    return performance.now() - startedAt
  }

  readMany(keys: readonly string[]): Promise<(string | null)[]> {
    return this.reads.read(keys)
  }

  async swapMany(swaps: readonly Swap[]): Promise<SwapAnswer[]> {
    const keys = swaps.map((swap) => swap.key)
    const replies = await this.run((client) =>
      this.bySlot(keys, (group) => {
        const groupSwaps = group.map((index) => swaps[index] as Swap)
        return client.swapMany(groupSwaps.length, ...groupSwaps.map((swap) => swap.key), ...groupSwaps.flatMap(swapArguments))
      }),
    )
    return replies.map((reply) => (reply === 1 ? { swapped: true } : { swapped: false, current: reply }))
  }

  async removeMany(keys: readonly string[]): Promise<void> {
    for (let start = 0; start < keys.length; start += removalBatchSize)
      await this.removeBatch(keys.slice(start, start + removalBatchSize))
  }

  async sampleKeys(count: number): Promise<string[]> {
    const keys = await this.run((client) => {
      const masters = mastersOf(client)
      return Promise.all(Array.from({ length: count }, (_, index) => masters[index % masters.length]?.randomkey()))
    })
    return keys.filter((key) => typeof key === 'string')
  }

  watch(watcher: Watcher): Watch {
    const { channel, commandTimeoutMs } = this.options
    const onReplica = () => this.reconnect()
    const log = (message: string) => this.logOnce(message)
    const watch = new RedisWatch(this.clients[0] as ScriptedClient, { channel, commandTimeoutMs, onReplica, log }, watcher)
    this.watches.set(watcher, watch)
    return {
      reopen: () => this.reconnect(),
      stop: () => {
        this.watches.delete(watcher)
        watch.stop()
      },
    }
  }

  async identity(): Promise<string> {
    const roles = await this.observe(() => Promise.all(this.clients.map(serverRoleOf)))
    if (this.backend === 'redis' && roles.some(({ isClusterNode }) => isClusterNode))
      throw new ServerError('it is a node of a Redis Cluster: configure it as a cluster')
    // A demoted master may have left its connections open, although the address leads to another server now.
    if (roles.some(({ isMaster }) => !isMaster)) {
      this.reconnectThrottled()
      throw new ServerError('it is a replica')
    }
    const servers = roles.map(({ name }) => name)
    const [server = ''] = servers
    if (servers.every((other) => other === server)) return server
    // The address changed to another server between two connects.
    this.reconnectThrottled()
    throw new ServerError('connections to it lead to different servers')
  }

  async addCounts(key: string, batchId: string, counts: ReadonlyMap<string, number>, ttlMs: number | null): Promise<void> {
    await this.run((client) =>
      client.addCounts(2, withHashTag(key), `${withHashTag(key)}:${batchId}`, ttlMs ?? '', ...[...counts].flat()),
    )
  }

  async readCounts(key: string): Promise<ReadonlyMap<string, number>> {
    const counts = await this.run((client) => client.hgetall(withHashTag(key)))
    return new Map(Object.entries(counts).map(([name, count]) => [name, Number(count)]))
  }

  async addToBuckets(additions: readonly BucketAddition[], leakPerMs: number): Promise<number[]> {
    const keys = additions.map(({ key }) => key)
    const levels = await this.run((client) =>
      this.bySlot(keys, (group) => {
        const inGroup = group.map((index) => additions[index] as BucketAddition)
        return client.addToBuckets(
          inGroup.length,
          ...inGroup.map(({ key }) => key),
          leakPerMs,
          ...inGroup.map(({ amount }) => amount),
        )
      }),
    )
    return levels.map(Number)
  }

  /** For a cluster: sums over its masters, and the lowest version and uptime. */
  async info(): Promise<StoreInfo> {
    const nodes = await this.run((client) =>
      Promise.all(mastersOf(client).map((node) => Promise.all([node.info(), node.dbsize()]))),
    )
    const numbers = (name: string) => nodes.map(([info]) => Number(infoField(info, name) ?? 0))
    const versions = nodes.map(([info]) => infoField(info, 'valkey_version') ?? infoField(info, 'redis_version') ?? '')
    return {
      version: versions.sort()[0] ?? null,
      usedMemoryBytes: sum(numbers('used_memory')),
      uptimeSeconds: Math.min(...numbers('uptime_in_seconds')),
      connectedClients: sum(numbers('connected_clients')),
      keys: sum(nodes.map(([, keys]) => keys)),
    }
  }

  private async removeBatch(keys: readonly string[]): Promise<void> {
    const { channel } = this.options
    const [watch] = this.watches.values()
    const removal = (watch?.acknowledgements ?? new Acknowledgements()).trackRemoval()
    try {
      const [number, ...members] = await this.run(async (client) => {
        const remove = () =>
          this.bySlot(keys, (group) => client.unlink(group.map((index) => keys[index] as string)).then(() => []))
        const publish = () =>
          client.publishRemoval(
            2,
            ...[sequenceKey(channel), membersKey(channel)],
            ...[channel, `${acknowledgePrefix}${watch?.acknowledgeChannel ?? ''}`, keys.join('\n')],
            ...(watch?.membership ?? ['', '']),
          )
        // A single connection keeps the order of commands; the nodes of a cluster do not, and a removal must not be published
        // before it is made.
        if (this.backend === 'redis-cluster') return remove().then(publish)
        const [, published] = await Promise.all([remove(), publish()])
        return published
      })
      const leases = this.memberLeases(members.map(String), watch)
      const silent = await removal.waitFor(Number(number), remainingMsOf(leases))
      await this.removeSilentMembers(silent.flatMap((id) => [id, leases.get(id)?.until ?? '']))
    } finally {
      removal.close()
    }
  }

  /** The leases of the other members, which may serve near entries. This process applies its own removals directly. */
  private memberLeases(members: readonly string[], watch: RedisWatch | undefined): Map<string, MemberLease> {
    const leases = new Map<string, MemberLease>()
    for (let index = 0; index < members.length; index += 3) {
      const [id = '', remainingMs, until = ''] = members.slice(index, index + 3)
      leases.set(id, { remainingMs: Math.min(Number(remainingMs), maxLeaseMs), until })
    }
    if (watch) leases.delete(watch.id)
    return leases
  }

  /** Removes members that did not acknowledge in time, unless they renewed their lease meanwhile. */
  private async removeSilentMembers(idsAndLeases: readonly string[]): Promise<void> {
    if (idsAndLeases.length === 0) return
    const key = membersKey(this.options.channel)
    await this.run((client) => client.removeMembers(1, key, ...idsAndLeases)).catch(() => undefined)
  }

  private get(client: ScriptedClient, keys: readonly string[]): Promise<(string | null)[]> {
    // The hot path of reads avoids the grouping of bySlot(), which only a cluster needs.
    if (this.backend === 'redis') return client.mget(keys as string[])
    return this.bySlot(keys, (group) => client.mget(group.map((index) => keys[index] as string)))
  }

  /** One call for all keys, or on a cluster one call per slot, in parallel. Returns the replies in the order of the keys. */
  private async bySlot<T>(keys: readonly string[], call: (indexes: readonly number[]) => Promise<T[]>): Promise<T[]> {
    if (this.backend === 'redis') return call(keys.map((_, index) => index))
    const groups = new Map<number, number[]>()
    for (const [index, key] of keys.entries()) {
      const slot = calculateSlot(key)
      groups.set(slot, [...(groups.get(slot) ?? []), index])
    }
    const replies: T[] = []
    await Promise.all(
      [...groups.values()].map(async (group) => {
        for (const [position, reply] of (await call(group)).entries()) replies[group[position] as number] = reply
      }),
    )
    return replies
  }

  private observeConnection(client: ScriptedClient): void {
    for (const event of ['error', 'sentinelError']) client.on(event, (error: Error) => this.recordError(error))
    client.on('close', () => {
      this.notifyConnectionLost()
      this.logOnce('cache server not connected')
    })
    client.on('ready', () => {
      this.lastError = undefined
      this.logOnce(connected)
      void this.ping().catch(() => undefined)
    })
    // A node left the cluster: its successor may lack the last removals.
    client.on('-node', () => this.notifyConnectionLost())
  }

  /** Prefers errors of the server or the socket over those of ioredis, which only report that it is not connected. */
  private recordError(error: Error & { lastNodeError?: Error | null }): void {
    const cause: NodeJS.ErrnoException = error.lastNodeError ?? error
    const isSpecific = cause instanceof ReplyError || cause.code !== undefined
    if (isSpecific || !this.lastError) this.lastError = cause
    this.logOnce(`cache server: ${cause.message || cause.code}`)
  }

  /** Reconnects at most once per health check interval, since an address may lead to a replica for a long time. */
  private reconnectThrottled(): void {
    const now = performance.now()
    if (now - this.reconnectedAt < this.options.healthIntervalMs) return
    this.reconnectedAt = now
    this.reconnect()
  }

  /** Closes all connections, since another server may be the master now; they reconnect to the current one. */
  private reconnect(): void {
    this.notifyConnectionLost()
    for (const client of this.clients) if (client.status === 'ready') client.disconnect(true)
  }

  /** Reopens the watches as well: they may still be connected to the old server, which may not be the current one. */
  private notifyConnectionLost(): void {
    for (const [watcher, watch] of this.watches) {
      watch.reopen()
      watcher.onStoreLost()
    }
  }

  /** Logs each message once per outage, although every attempt to connect repeats it. */
  private logOnce(message: string): void {
    if (this.logged.has(message)) return
    if (message === connected || this.logged.has(connected)) this.logged.clear()
    this.logged.add(message)
    this.options.log(message, message === connected ? 'info' : 'warn')
  }

  private run<T>(command: (client: ScriptedClient) => Promise<T>): Promise<T> {
    if (this.breaker.open) return Promise.reject(new StoreUnavailableError('the cache server does not answer'))
    return this.observe(() => command(this.client()))
  }

  private async observe<T>(command: () => Promise<T>): Promise<T> {
    try {
      const reply = await this.withTimeout(command())
      this.breaker.succeeded()
      return reply
    } catch (error) {
      // An error reply proves that the server is reachable.
      if (error instanceof ReplyError || error instanceof ServerError) {
        this.breaker.succeeded()
        throw error
      }
      this.breaker.failed()
      const cause = error instanceof NoAnswerError ? error : (this.lastError ?? error)
      throw new StoreUnavailableError('the cache server cannot be reached', { cause })
    }
  }

  private withTimeout<T>(work: Promise<T>): Promise<T> {
    const { commandTimeoutMs } = this.options
    return withDeadline(work, commandTimeoutMs, () => new NoAnswerError(`no answer within ${commandTimeoutMs} ms`))
  }

  private client(): ScriptedClient {
    this.nextClient = (this.nextClient + 1) % this.clients.length
    return this.clients[this.nextClient] as ScriptedClient
  }
}

/**
 * Resolves after the first attempt to connect. While no sentinel answers, connect() does not settle, but each failed attempt
 * emits an error.
 */
function firstAttempt(client: ScriptedClient): Promise<void> {
  return new Promise((resolve) => {
    const settle = () => {
      client.off('error', settle)
      resolve()
    }
    client.once('error', settle)
    client.connect().then(settle, settle)
  })
}

function mastersOf(client: ScriptedClient): Redis[] {
  return client.isCluster ? (client as unknown as Cluster).nodes('master') : [client as unknown as Redis]
}

function swapArguments({ when, value, ttlMs }: Swap): (string | number)[] {
  const expected = when.state === 'unleased' ? '' : (when.expected ?? '')
  return [when.state, expected, value, ttlMs === null ? '' : Math.max(1, Math.round(ttlMs))]
}

/** The servers that a client is connected to, names joined by commas. Rejects if a server does not report its ids. */
async function serverRoleOf(client: ScriptedClient): Promise<ServerRole> {
  const nodes = await Promise.all(mastersOf(client).map(nodeRoleOf))
  return {
    name: nodes
      .map(({ name }) => name)
      .sort()
      .join(),
    isMaster: nodes.every(({ isMaster }) => isMaster),
    isClusterNode: nodes.some(({ isClusterNode }) => isClusterNode),
  }
}

/**
 * The name contains the replication id, which changes when a server becomes a replica or is promoted: its data was then replaced
 * by that of another server, so entries that were known to be valid are lost.
 */
async function nodeRoleOf(node: Redis): Promise<ServerRole> {
  const [server, replication] = await Promise.all([node.info('server'), node.info('replication')])
  const runId = infoField(server, 'run_id')
  if (!runId) throw new ServerError('INFO server does not contain run_id')
  const name = `${runId}/${infoField(replication, 'master_replid') ?? ''}`
  return {
    name,
    isMaster: infoField(replication, 'role') === 'master',
    isClusterNode: infoField(server, 'redis_mode') === 'cluster',
  }
}

interface ServerRole {
  name: string
  isMaster: boolean
  isClusterNode: boolean
}

interface MemberLease {
  remainingMs: number
  /** When the lease ends, as stored in the hash of members (by the clock of the server) */
  until: string
}

function remainingMsOf(leases: ReadonlyMap<string, MemberLease>): Map<string, number> {
  return new Map([...leases].map(([id, { remainingMs }]) => [id, remainingMs]))
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}

const removalBatchSize = 1_000
/** Upper bound of a lease: the clock of the server may have been set back since the member renewed it. */
const maxLeaseMs = 60_000
const connected = 'cache server connected'
