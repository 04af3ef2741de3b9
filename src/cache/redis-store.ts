import calculateSlot from 'cluster-key-slot'
import { Cluster, Redis, ReplyError } from 'ioredis'
import { Acknowledgements } from './acknowledgements.js'
import { Breaker } from './breaker.js'
import { CombinedReads } from './combined-reads.js'
import { withDeadline } from './deadline.js'
import {
  addCountsScript,
  addToBucketsScript,
  forgetMembersScript,
  publishRemovalScript,
  type ScriptedClient,
  swapManyScript,
} from './redis-scripts.js'
import { type SentinelTarget, SentinelWatch, sentinelOptions } from './redis-sentinels.js'
import { acknowledgeSign, infoField, membersKey, numberKey, RedisWatch } from './redis-watch.js'
import { endWhenSilent } from './silence.js'
import {
  type Addition,
  type CacheStore,
  type StoreInfo,
  StoreUnavailableError,
  type Swap,
  type SwapAnswer,
  type Watch,
  type Watcher,
} from './store.js'

/**
 * Where the server is. Addresses are redis:// or rediss://; user, password and database number, where they are needed, stand in the
 * (first) one and are those of the server: a sentinel does not get to know them.
 */
export type RedisTarget =
  | { kind: 'server'; url: string }
  | { kind: 'cluster'; urls: readonly [string, ...string[]] }
  | ({ kind: 'sentinel' } & SentinelTarget)

export interface RedisStoreOptions {
  target: RedisTarget
  connections: number
  /** Its removals are told to those who watch a store with the same channel. */
  channel: string
  /** A command without an answer by then is given up. */
  commandTimeoutMs: number
  /** How often the server is asked whether it is there; after an outage it is used again within this time. */
  healthIntervalMs: number
  log: (message: string) => void
}

/** The server answers, and cannot be used. */
class ServerError extends Error {
  override readonly name = 'ServerError'
}

/** Entries in a Redis (or Valkey) server or cluster. One that is away makes the methods reject at once, not wait. */
export class RedisStore implements CacheStore {
  readonly backend: CacheStore['backend']
  private readonly clients: ScriptedClient[]
  private readonly breaker = new Breaker(3)
  private readonly watches = new Map<Watcher, RedisWatch>()
  private readonly reads = new CombinedReads((keys) => this.run((client) => this.get(client, keys)))
  private sentinelWatch: SentinelWatch | undefined
  private nextClient = 0
  private lookedAt = Number.NEGATIVE_INFINITY
  private healthTimer: NodeJS.Timeout | undefined
  private readonly reported = new Set<string>()

  constructor(private readonly options: RedisStoreOptions) {
    this.backend = options.target.kind === 'cluster' ? 'redis-cluster' : 'redis'
    this.clients = Array.from({ length: options.connections }, () => createClient(options))
    for (const client of this.clients) this.observeConnection(client)
  }

  get answering(): boolean {
    return !this.breaker.open
  }

  async connect(): Promise<void> {
    const { target } = this.options
    if (target.kind === 'sentinel') this.sentinelWatch = new SentinelWatch(target, () => this.leaveServer())
    // A refused first connection is retried in the background like a lost one.
    const tooLate = () => new Error('not connected in time')
    await Promise.all(
      this.clients.map((client) => withDeadline(firstAttempt(client), connectTimeoutMs, tooLate).catch(() => undefined)),
    )
    this.healthTimer = setInterval(() => void this.ping().catch(() => undefined), this.options.healthIntervalMs)
    this.healthTimer.unref()
  }

  async close(): Promise<void> {
    clearInterval(this.healthTimer)
    this.sentinelWatch?.stop()
    await Promise.all(this.clients.map((client) => this.inTime(client.quit()).catch(() => client.disconnect())))
  }

  /** Also what closes an open breaker: this is the only command that is sent then. */
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
        const its = group.map((index) => swaps[index] as Swap)
        return client.swapMany(its.length, ...its.map((swap) => swap.key), ...its.flatMap(swapArguments))
      }),
    )
    return replies.map((reply) => (reply === 1 ? { swapped: true } : { swapped: false, held: reply }))
  }

  async removeMany(keys: readonly string[]): Promise<void> {
    for (let start = 0; start < keys.length; start += removalBatch)
      await this.removeBatch(keys.slice(start, start + removalBatch))
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
    const onReplica = () => this.leaveServer()
    const log = (message: string) => this.report(message)
    const watch = new RedisWatch(this.clients[0] as ScriptedClient, { channel, commandTimeoutMs, onReplica, log }, watcher)
    this.watches.set(watcher, watch)
    return {
      reopen: () => this.leaveServer(),
      stop: () => {
        this.watches.delete(watcher)
        watch.stop()
      },
    }
  }

  async identity(): Promise<string> {
    const roles = await this.observe(() => Promise.all(this.clients.map(serverOf)))
    // A master that became one may have left its connections open, though the address leads to another server now.
    if (roles.some(({ isMaster }) => !isMaster)) {
      this.lookWhereItLeads()
      throw new ServerError('it is a replica')
    }
    const servers = roles.map(({ name }) => name)
    const [server = ''] = servers
    if (servers.every((other) => other === server)) return server
    // An address led to another server between two of them.
    this.lookWhereItLeads()
    throw new ServerError('connections to it lead to different servers')
  }

  async addCounts(key: string, batchId: string, counts: ReadonlyMap<string, number>, ttlMs: number | null): Promise<void> {
    await this.run((client) => client.addCounts(2, `{${key}}`, `{${key}}:${batchId}`, ttlMs ?? '', ...[...counts].flat()))
  }

  async readCounts(key: string): Promise<ReadonlyMap<string, number>> {
    const counts = await this.run((client) => client.hgetall(`{${key}}`))
    return new Map(Object.entries(counts).map(([name, count]) => [name, Number(count)]))
  }

  async addToBuckets(additions: readonly Addition[], leakPerMs: number): Promise<number[]> {
    const keys = additions.map(({ key }) => key)
    const levels = await this.run((client) =>
      this.bySlot(keys, (group) => {
        const its = group.map((index) => additions[index] as Addition)
        return client.addToBuckets(its.length, ...its.map(({ key }) => key), leakPerMs, ...its.map(({ amount }) => amount))
      }),
    )
    return levels.map(Number)
  }

  /** Of a cluster: sums over its masters, and the least version and uptime. */
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
    const removal = (watch?.acknowledgements ?? new Acknowledgements()).expect()
    try {
      const [number, ...members] = await this.run(async (client) => {
        const remove = () =>
          this.bySlot(keys, (group) => client.unlink(group.map((index) => keys[index] as string)).then(() => []))
        const publish = () =>
          client.publishRemoval(
            2,
            ...[numberKey(channel), membersKey(channel)],
            ...[channel, `${acknowledgeSign}${watch?.acknowledgeChannel ?? ''}`, keys.join('\n')],
            ...(watch?.membership ?? ['', '']),
          )
        // One connection keeps the order; the nodes of a cluster do not, and nobody may hear of a removal before it was made.
        if (this.backend === 'redis-cluster') return remove().then(publish)
        const [, published] = await Promise.all([remove(), publish()])
        return published
      })
      const leases = this.awaited(members.map(String), watch)
      const silent = await removal.waitFor(Number(number), leftOf(leases))
      await this.forgetSilent(silent.flatMap((id) => [id, leases.get(id)?.until ?? '']))
    } finally {
      removal.close()
    }
  }

  /** Who may answer from what it kept; this process applies its own removals by itself. */
  private awaited(members: readonly string[], watch: RedisWatch | undefined): Map<string, MemberLease> {
    const leases = new Map<string, MemberLease>()
    for (let index = 0; index < members.length; index += 3) {
      const [id = '', leftMs, until = ''] = members.slice(index, index + 3)
      leases.set(id, { leftMs: Math.min(Number(leftMs), maxLeaseMs), until })
    }
    if (watch) leases.delete(watch.id)
    return leases
  }

  /** Those that did not acknowledge in time are members no longer, unless they renewed their lease meanwhile. */
  private async forgetSilent(idsAndLeases: readonly string[]): Promise<void> {
    if (idsAndLeases.length === 0) return
    const key = membersKey(this.options.channel)
    await this.run((client) => client.forgetMembers(1, key, ...idsAndLeases)).catch(() => undefined)
  }

  private get(client: ScriptedClient, keys: readonly string[]): Promise<(string | null)[]> {
    // What every read comes by is not made to go through indexes where there is one slot for all.
    if (this.backend === 'redis') return client.mget(keys as string[])
    return this.bySlot(keys, (group) => client.mget(group.map((index) => keys[index] as string)))
  }

  /** One call for all keys; on a cluster one for each slot, sent together. Answers in the order of the keys. */
  private async bySlot<T>(keys: readonly string[], call: (indexes: readonly number[]) => Promise<T[]>): Promise<T[]> {
    if (this.backend === 'redis') return call(keys.map((_, index) => index))
    const groups = new Map<number, number[]>()
    for (const [index, key] of keys.entries()) {
      const slot = calculateSlot(key)
      groups.set(slot, [...(groups.get(slot) ?? []), index])
    }
    const answers: T[] = []
    await Promise.all(
      [...groups.values()].map(async (group) => {
        for (const [position, answer] of (await call(group)).entries()) answers[group[position] as number] = answer
      }),
    )
    return answers
  }

  private observeConnection(client: ScriptedClient): void {
    for (const event of ['error', 'sentinelError'])
      client.on(event, (error: NodeJS.ErrnoException) => this.report(`cache server: ${error.message || error.code}`))
    client.on('close', () => {
      this.tellLost()
      this.report('cache server not connected')
    })
    client.on('ready', () => {
      this.report(connected)
      void this.ping().catch(() => undefined)
    })
    // Of a cluster, a master that went or came: what it holds may lack the last removals.
    client.on('-node', () => this.tellLost())
  }

  /** Now and then: an address may lead to a replica for long. */
  private lookWhereItLeads(): void {
    const now = performance.now()
    if (now - this.lookedAt < this.options.healthIntervalMs) return
    this.lookedAt = now
    this.leaveServer()
  }

  /** Another server is the master now. Connecting again, everybody asks for it. */
  private leaveServer(): void {
    this.tellLost()
    for (const client of this.clients) if (client.status === 'ready') client.disconnect(true)
  }

  /** Listening may go on where the lost connection led to, and that may be another server than it leads to now. */
  private tellLost(): void {
    for (const [watcher, watch] of this.watches) {
      watch.reopen()
      watcher.lost()
    }
  }

  /** An outage repeats itself at every attempt to connect; one line for each thing that happened is enough. */
  private report(message: string): void {
    if (this.reported.has(message)) return
    if (message === connected || this.reported.has(connected)) this.reported.clear()
    this.reported.add(message)
    this.options.log(message)
  }

  private run<T>(command: (client: ScriptedClient) => Promise<T>): Promise<T> {
    if (this.breaker.open) return Promise.reject(new StoreUnavailableError('the cache server does not answer'))
    return this.observe(() => command(this.client()))
  }

  private async observe<T>(command: () => Promise<T>): Promise<T> {
    try {
      const reply = await this.inTime(command())
      this.breaker.succeeded()
      return reply
    } catch (error) {
      // An error that the server sent is an answer: the server is there.
      if (error instanceof ReplyError || error instanceof ServerError) {
        this.breaker.succeeded()
        throw error
      }
      this.breaker.failed()
      throw new StoreUnavailableError('the cache server cannot be reached', { cause: error })
    }
  }

  private inTime<T>(work: Promise<T>): Promise<T> {
    const { commandTimeoutMs } = this.options
    return withDeadline(work, commandTimeoutMs, () => new Error(`no answer within ${commandTimeoutMs} ms`))
  }

  private client(): ScriptedClient {
    this.nextClient = (this.nextClient + 1) % this.clients.length
    return this.clients[this.nextClient] as ScriptedClient
  }
}

/** While no sentinel answers, connecting goes on and on; each attempt that came to nothing is told as an error. */
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

function createClient({ target, commandTimeoutMs }: RedisStoreOptions): ScriptedClient {
  const client = createUnscripted(target, commandTimeoutMs)
  // Of a cluster, each node has a connection of its own.
  if (client.isCluster) client.on('+node', (node: Redis) => superviseConnection(node, commandTimeoutMs))
  else superviseConnection(client as Redis, commandTimeoutMs)
  client.defineCommand('swapMany', { lua: swapManyScript })
  client.defineCommand('addCounts', { lua: addCountsScript })
  client.defineCommand('addToBuckets', { lua: addToBucketsScript })
  client.defineCommand('forgetMembers', { lua: forgetMembersScript })
  client.defineCommand('publishRemoval', { lua: publishRemovalScript })
  return client as ScriptedClient
}

function superviseConnection(client: Redis, commandTimeoutMs: number): void {
  endSilentConnections(client, commandTimeoutMs)
  reconnectOnce(client)
}

/** Each call of ioredis adds a listener and a timer until the socket has closed, and each of many commands may be answered with READONLY. */
function reconnectOnce(client: Redis): void {
  const disconnect = client.disconnect.bind(client)
  client.disconnect = (reconnect) => {
    if (!reconnect || !client.stream?.writableEnded) disconnect(reconnect)
  }
}

/** No timers of ioredis: they end what waits for an answer that already lies in the socket, when the process itself was stalled. */
function endSilentConnections(client: Redis, commandTimeoutMs: number): void {
  // The handshake has been sent by then.
  client.on('connect', () => endWhenSilent(client.stream, silentCommands * commandTimeoutMs, performance.now()))
}

function createUnscripted(target: RedisTarget, commandTimeoutMs: number): Redis | Cluster {
  const options = connectionOptions
  if (target.kind === 'cluster') return createCluster(target.urls, options, commandTimeoutMs)
  if (target.kind === 'server') return new Redis(target.url, options)
  return new Redis(target.urls[0], { ...options, ...sentinelOptions(target, commandTimeoutMs) })
}

const connectTimeoutMs = 2_000

const connectionOptions = {
  lazyConnect: true,
  // Without a connection a command fails at once; queued, it would hold up its request.
  enableOfflineQueue: false,
  maxRetriesPerRequest: 0,
  autoResendUnfulfilledCommands: false,
  connectTimeout: connectTimeoutMs,
  retryStrategy: (attempt: number) => Math.min(50 * attempt, 1_000),
  // A master that became a replica answers so: connect again, to where the address leads now.
  reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
}

function createCluster(urls: readonly string[], redisOptions: object, commandTimeoutMs: number): Cluster {
  const { protocol, username, password } = new URL(urls[0] as string)
  const credentials = { username: decodeURIComponent(username), password: decodeURIComponent(password) }
  return new Cluster([...urls], {
    lazyConnect: true,
    enableOfflineQueue: false,
    clusterRetryStrategy: (attempt) => Math.min(50 * attempt, 1_000),
    slotsRefreshTimeout: 4 * commandTimeoutMs,
    slotsRefreshInterval: 5_000,
    retryDelayOnFailover: 50,
    maxRedirections: 3,
    redisOptions: { ...redisOptions, ...credentials, ...(protocol === 'rediss:' && { tls: {} }) },
  })
}

function mastersOf(client: ScriptedClient): Redis[] {
  return client.isCluster ? (client as unknown as Cluster).nodes('master') : [client as unknown as Redis]
}

function swapArguments({ when, value, ttlMs }: Swap): (string | number)[] {
  const expected = when.state === 'unleased' ? '' : (when.expected ?? '')
  return [when.state, expected, value, ttlMs === null ? '' : Math.max(1, Math.round(ttlMs))]
}

/** The servers that a client is connected to, with commas between them. Rejects where one does not say which it is. */
async function serverOf(client: ScriptedClient): Promise<{ name: string; isMaster: boolean }> {
  const nodes = await Promise.all(mastersOf(client).map(nodeOf))
  return {
    name: nodes
      .map(({ name }) => name)
      .sort()
      .join(),
    isMaster: nodes.every(({ isMaster }) => isMaster),
  }
}

/**
 * A replica takes over what its master holds, and gets another replication id when it is promoted: what it held before, and was known to be
 * right, is lost.
 */
async function nodeOf(node: Redis): Promise<{ name: string; isMaster: boolean }> {
  const [server, replication] = await Promise.all([node.info('server'), node.info('replication')])
  const runId = infoField(server, 'run_id')
  if (!runId) throw new ServerError('it does not give its run_id (INFO server)')
  const name = `${runId}/${infoField(replication, 'master_replid') ?? ''}`
  return { name, isMaster: infoField(replication, 'role') === 'master' }
}

interface MemberLease {
  leftMs: number
  /** By the server's clock, as it keeps it */
  until: string
}

function leftOf(leases: ReadonlyMap<string, MemberLease>): Map<string, number> {
  return new Map([...leases].map(([id, { leftMs }]) => [id, leftMs]))
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}

const removalBatch = 1_000
/** The server's clock may have been set back since a member said how long it will be one. */
const maxLeaseMs = 60_000
/** A connection is given up when nothing was answered on it for as long as so many commands may take. */
const silentCommands = 20
const connected = 'cache server connected'
