import calculateSlot from 'cluster-key-slot'
import { type Cluster, type Redis, ReplyError } from 'ioredis'
import { Acknowledgements } from '../cache/acknowledgements.js'
import { Breaker } from '../cache/breaker.js'
import { CombinedReads } from '../cache/combined-reads.js'
import { CombinedSwaps } from '../cache/combined-swaps.js'
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
  /** A string is the URL of a single server. */
  target: RedisTarget | string
  /** Key prefix of the cache. The processes of the cache publish removals on the channel `<prefix>:removals`. */
  prefix: string
  /** Number of connections for commands. Default: 1 */
  connections?: number
  /** Timeout of a command in milliseconds. Default: 250 */
  commandTimeoutMs?: number
  /** Interval of health checks (PING) in milliseconds. The first health check that succeeds ends an outage. Default: 1,000 */
  healthIntervalMs?: number
  /** The debug messages are those about single connections: the cache reports when it cannot use the store. */
  log?: (message: string, level: 'debug' | 'warn') => void
}

function withDefaults({ target, prefix, ...others }: RedisStoreOptions) {
  return {
    connections: 1,
    commandTimeoutMs: 250,
    healthIntervalMs: 1_000,
    log: () => {},
    ...others,
    target: typeof target === 'string' ? ({ kind: 'server', url: target } as const) : target,
    channel: `${prefix}:removals`,
  }
}

/** The server is reachable, but not usable. */
class ServerError extends Error {
  override readonly name = 'ServerError'
}

/** The server did not reply within the command timeout. */
class NoAnswerError extends Error {
  override readonly name = 'NoAnswerError'
}

/**
 * Stores entries in a Redis or Valkey server or cluster. After three failures in a row, all methods except `ping` and `identity`
 * reject immediately until a health check succeeds.
 */
export class RedisStore implements CacheStore {
  readonly backend: CacheStore['backend']
  private readonly clients: ScriptedClient[]
  private readonly breaker = new Breaker(3)
  private readonly watches = new Map<Watcher, RedisWatch>()
  private readonly reads = new CombinedReads((keys) => this.run((client) => this.get(client, keys)))
  private readonly swaps = new CombinedSwaps((swaps) => this.sendSwaps(swaps))
  private sentinelWatch: SentinelWatch | undefined
  /** The error that ended or prevented the last connection; undefined after a connection became ready */
  private lastError: Error | undefined
  private clientIndex = 0
  /** Whether a connection has ever been ready */
  private hasBeenReady = false
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
    // If the first attempt fails, the client retries in the background, as after a lost connection.
    const timeoutError = () => new Error('No connection in time')
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

  /**
   * Returns the round-trip time in milliseconds. PING is sent even while the circuit breaker is open, and its success closes the
   * breaker.
   */
  async ping(): Promise<number> {
    const startedAt = performance.now()
    await this.execute(() => this.nextClient().ping())
    return performance.now() - startedAt
  }

  readMany(keys: readonly string[]): Promise<(string | null)[]> {
    return this.reads.read(keys)
  }

  swapMany(swaps: readonly Swap[]): Promise<SwapAnswer[]> {
    return this.swaps.swap(swaps)
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
    const log = (message: string) => this.logOnce(message, 'warn')
    const watch = new RedisWatch(this.clients[0] as ScriptedClient, { channel, commandTimeoutMs, onReplica, log }, watcher)
    this.watches.set(watcher, watch)
    return {
      reconnect: () => this.reconnect(),
      stop: () => {
        this.watches.delete(watcher)
        watch.stop()
      },
    }
  }

  async identity(): Promise<string> {
    const roles = await this.execute(() => Promise.all(this.clients.map(serverRoleOf)))
    if (this.backend === 'redis' && roles.some(({ isClusterNode }) => isClusterNode))
      throw new ServerError('the server is a node of a Redis Cluster: configure the target as a cluster')
    // A demoted master keeps its connections open. The address may lead to the new master, so reconnect.
    if (roles.some(({ isMaster }) => !isMaster)) {
      this.reconnectThrottled()
      throw new ServerError('the server is a replica')
    }
    const servers = roles.map(({ identity }) => identity)
    const [server = ''] = servers
    if (servers.every((other) => other === server)) return server
    // The address changed to another server after some of the clients had connected.
    this.reconnectThrottled()
    throw new ServerError('connections to the address lead to different servers')
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
      this.runPerSlot(keys, (group) => {
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

  /** For a cluster, returns sums across its masters, and the lowest version and uptime. */
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

  private async sendSwaps(swaps: readonly Swap[]): Promise<SwapAnswer[]> {
    const keys = swaps.map((swap) => swap.key)
    const replies = await this.run((client) =>
      this.runPerSlot(keys, (group) => {
        const groupSwaps = group.map((index) => swaps[index] as Swap)
        return client.swapMany(groupSwaps.length, ...groupSwaps.map((swap) => swap.key), ...groupSwaps.flatMap(swapArguments))
      }),
    )
    return replies.map((reply) => (reply === 1 ? { swapped: true } : { swapped: false, current: reply }))
  }

  /** Removes keys, publishes the removal, and waits until the other members acknowledge it or their near leases expire. */
  private async removeBatch(keys: readonly string[]): Promise<void> {
    const { channel } = this.options
    const [watch] = this.watches.values()
    const [nearLeaseMs, isMember] = watch?.membership ?? noMembership
    const removal = (watch?.acknowledgements ?? new Acknowledgements()).trackRemoval()
    try {
      const [number, ...members] = await this.run(async (client) => {
        const remove = () =>
          this.runPerSlot(keys, (group) => client.unlink(group.map((index) => keys[index] as string)).then(() => []))
        const publish = () =>
          client.publishRemoval(
            2,
            sequenceKey(channel),
            membersKey(channel),
            channel,
            `${acknowledgePrefix}${watch?.acknowledgeChannel ?? ''}`,
            keys.join('\n'),
            nearLeaseMs,
            isMember,
          )
        // A removal must not be published before the keys are removed. A single connection keeps the order of the two commands.
        // Across the nodes of a cluster the order is not guaranteed, so the second command is sent after the reply to the first
        // one.
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

  /** Returns the near leases of the other members by id. Excludes this process, which applies its own removals directly. */
  private memberLeases(members: readonly string[], watch: RedisWatch | undefined): Map<string, MemberLease> {
    const leases = new Map<string, MemberLease>()
    for (let index = 0; index < members.length; index += 3) {
      const [id = '', remainingMs, until = ''] = members.slice(index, index + 3)
      leases.set(id, { remainingMs: Math.min(Number(remainingMs), maxLeaseMs), until })
    }
    if (watch) leases.delete(watch.id)
    return leases
  }

  /** Removes members that did not acknowledge before their lease expired, unless they have renewed the lease since. */
  private async removeSilentMembers(idsAndLeases: readonly string[]): Promise<void> {
    if (idsAndLeases.length === 0) return
    const key = membersKey(this.options.channel)
    await this.run((client) => client.removeMembers(1, key, ...idsAndLeases)).catch(() => undefined)
  }

  private get(client: ScriptedClient, keys: readonly string[]): Promise<(string | null)[]> {
    // This is the hot path. Skip the grouping of runPerSlot(), which only a cluster needs.
    if (this.backend === 'redis') return client.mget(keys as string[])
    return this.runPerSlot(keys, (group) => client.mget(group.map((index) => keys[index] as string)))
  }

  /**
   * Calls `command` with the indexes of the keys: once for all keys, or in a cluster once per slot, in parallel. Returns the
   * replies in the order of the keys.
   */
  private async runPerSlot<T>(keys: readonly string[], command: (indexes: readonly number[]) => Promise<T[]>): Promise<T[]> {
    if (this.backend === 'redis') return command(keys.map((_, index) => index))
    const groups = new Map<number, number[]>()
    for (const [index, key] of keys.entries()) {
      const slot = calculateSlot(key)
      groups.set(slot, [...(groups.get(slot) ?? []), index])
    }
    const replies: T[] = []
    await Promise.all(
      [...groups.values()].map(async (group) => {
        for (const [position, reply] of (await command(group)).entries()) replies[group[position] as number] = reply
      }),
    )
    return replies
  }

  private observeConnection(client: ScriptedClient): void {
    for (const event of ['error', 'sentinelError']) client.on(event, (error: Error) => this.recordError(error))
    client.on('close', () => {
      this.resetWatches()
      this.logOnce('Not connected to the cache server', 'debug')
    })
    client.on('ready', () => {
      this.lastError = undefined
      this.hasBeenReady = true
      this.logOnce(connected, 'debug')
      void this.ping().catch(() => undefined)
    })
    // A node left the cluster. The node that takes over its slots may not have replicated the last removals.
    client.on('-node', () => this.resetWatches())
  }

  /**
   * Keeps and logs an error. An error of the server or the socket replaces an error of ioredis, which only reports a lost
   * connection, but not the other way round.
   */
  private recordError(error: Error & { lastNodeError?: Error | null }): void {
    const cause: NodeJS.ErrnoException = error.lastNodeError ?? error
    const isSpecific = cause instanceof ReplyError || cause.code !== undefined
    if (isSpecific || !this.lastError) this.lastError = this.withHint(cause)
    this.logOnce(`Cache server connection error: ${cause.message || cause.code}`, 'debug')
  }

  /** Replaces or extends errors of connections that have never been ready, if the URL is probably wrong. */
  private withHint(error: NodeJS.ErrnoException): Error {
    if (this.hasBeenReady) return error
    if (error.message.startsWith('NOAUTH')) return new Error('NOAUTH: the server requires a password, and the URL has none')
    if (error instanceof ReplyError || (error.code !== undefined && error.code !== 'ECONNRESET')) return error
    const { target } = this.options
    const [first] = target.kind === 'server' ? [target.url] : target.urls
    const [other, requirement] = first.startsWith('rediss:') ? ['redis://', 'does not use TLS'] : ['rediss://', 'uses TLS']
    return new Error(`${error.message}; if the server ${requirement}, the URL must begin with ${other}`)
  }

  /** Reconnects, but at most once per health check interval, because the address may lead to a replica for a long time. */
  private reconnectThrottled(): void {
    const now = performance.now()
    if (now - this.reconnectedAt < this.options.healthIntervalMs) return
    this.reconnectedAt = now
    this.reconnect()
  }

  /**
   * Closes all ready connections, because another server may be the master now. The clients then connect to the current master.
   */
  private reconnect(): void {
    this.resetWatches()
    for (const client of this.clients) if (client.status === 'ready') client.disconnect(true)
  }

  /**
   * Disconnects the watches, which may still be connected to the old server, and notifies the watchers. The watches reconnect.
   */
  private resetWatches(): void {
    for (const [watcher, watch] of this.watches) {
      watch.disconnect()
      watcher.onStoreLost()
    }
  }

  /** Logs each message once per outage: each attempt to connect would repeat it. */
  private logOnce(message: string, level: 'debug' | 'warn'): void {
    if (this.logged.has(message)) return
    if (message === connected || this.logged.has(connected)) this.logged.clear()
    this.logged.add(message)
    this.options.log(message, level)
  }

  /** Runs a command on the next client. Rejects immediately while the circuit breaker is open. */
  private run<T>(command: (client: ScriptedClient) => Promise<T>): Promise<T> {
    if (this.breaker.open) return Promise.reject(new StoreUnavailableError('the cache server does not answer'))
    return this.execute(() => command(this.nextClient()))
  }

  /**
   * Runs a command with a timeout, and reports its outcome to the circuit breaker. Rejects with StoreUnavailableError unless the
   * server replied.
   */
  private async execute<T>(command: () => Promise<T>): Promise<T> {
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
      // The errors of ioredis only say that there is no connection.
      const cause = error instanceof NoAnswerError ? error : (this.lastError ?? this.withHint(new Error('no connection')))
      throw new StoreUnavailableError('the cache server cannot be reached', { cause })
    }
  }

  private withTimeout<T>(work: Promise<T>): Promise<T> {
    const { commandTimeoutMs } = this.options
    return withDeadline(work, commandTimeoutMs, () => new NoAnswerError(`no answer within ${commandTimeoutMs} ms`))
  }

  private nextClient(): ScriptedClient {
    this.clientIndex = (this.clientIndex + 1) % this.clients.length
    return this.clients[this.clientIndex] as ScriptedClient
  }
}

/**
 * Resolves after the first attempt to connect, whether it succeeds or fails. The 'error' event is needed because connect() does
 * not settle while no sentinel answers.
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
  const expected = 'expected' in when ? when.expected : ''
  return [scriptConditions[when.state], expected, value, ttlMs === null ? '' : Math.max(1, Math.round(ttlMs))]
}

/** The conditions of swapManyScript. With an empty prefix, 'mayBeMissing' is met only if the key is missing. */
const scriptConditions = {
  absent: 'mayBeMissing',
  absentOrStartsWith: 'mayBeMissing',
  startsWith: 'mustExist',
  notLeased: 'notLeased',
} as const

/**
 * Returns the role of the server, or the combined role of all masters of a cluster. Rejects if a server does not report its run
 * id.
 */
async function serverRoleOf(client: ScriptedClient): Promise<ServerRole> {
  const nodes = await Promise.all(mastersOf(client).map(nodeRoleOf))
  return {
    identity: nodes
      .map(({ identity }) => identity)
      .sort()
      .join(),
    isMaster: nodes.every(({ isMaster }) => isMaster),
    isClusterNode: nodes.some(({ isClusterNode }) => isClusterNode),
  }
}

/**
 * Returns the role of one server. `identity` contains the replication id, which changes when the server becomes a replica or is
 * promoted. After such a change, the server may hold the data of another server, so the cache must not rely on what it knew about
 * the entries.
 */
async function nodeRoleOf(node: Redis): Promise<ServerRole> {
  const [server, replication] = await Promise.all([node.info('server'), node.info('replication')])
  const runId = infoField(server, 'run_id')
  if (!runId) throw new ServerError('INFO server does not contain run_id')
  const identity = `${runId}/${infoField(replication, 'master_replid') ?? ''}`
  return {
    identity,
    isMaster: infoField(replication, 'role') === 'master',
    isClusterNode: infoField(server, 'redis_mode') === 'cluster',
  }
}

interface ServerRole {
  /** Run id and replication id of the server, or of all masters of a cluster, joined by commas (see CacheStore.identity) */
  identity: string
  isMaster: boolean
  isClusterNode: boolean
}

interface MemberLease {
  remainingMs: number
  /** When the lease ends by the clock of the server, as stored in the members hash */
  until: string
}

function remainingMsOf(leases: ReadonlyMap<string, MemberLease>): Map<string, number> {
  return new Map([...leases].map(([id, { remainingMs }]) => [id, remainingMs]))
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}

/** The membership of a process without a watch */
const noMembership: RedisWatch['membership'] = ['', '']
const removalBatchSize = 1_000
/** Upper bound of a near lease, because the clock of the server may have been set back since the member renewed it. */
const maxLeaseMs = 60_000
const connected = 'Connected to the cache server'
