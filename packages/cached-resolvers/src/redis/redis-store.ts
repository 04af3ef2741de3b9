import calculateSlot from 'cluster-key-slot'
import { type Cluster, type Redis, ReplyError } from 'ioredis'
import { Acknowledgements } from '../cache/acknowledgements.js'
import { Breaker } from '../cache/breaker.js'
import { CombinedReads } from '../cache/combined-reads.js'
import { withDeadline } from '../cache/deadline.js'
import {
  type Addition,
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
import { acknowledgeSign, infoField, inOneSlot, membersKey, numberKey, RedisWatch } from './redis-watch.js'

export interface RedisStoreOptions {
  /** An address alone is that of one server. */
  target: RedisTarget | string
  /** That of the cache: its processes announce their removals to each other under it. */
  prefix: string
  /** 1 unless given */
  connections?: number
  /** A command without an answer by then is given up. 250 unless given */
  commandTimeoutMs?: number
  /** How often the server is asked whether it is there; after an outage it is used again within this time. 1,000 unless given */
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

/** The server answers, and cannot be used. */
class ServerError extends Error {
  override readonly name = 'ServerError'
}

class NoAnswerError extends Error {
  override readonly name = 'NoAnswerError'
}

/** Entries in a Redis (or Valkey) server or cluster. One that is away makes the methods reject at once, not wait. */
export class RedisStore implements CacheStore {
  readonly backend: CacheStore['backend']
  private readonly clients: ScriptedClient[]
  private readonly breaker = new Breaker(3)
  private readonly watches = new Map<Watcher, RedisWatch>()
  private readonly reads = new CombinedReads((keys) => this.run((client) => this.get(client, keys)))
  private sentinelWatch: SentinelWatch | undefined
  /** What ended the last connection, or keeps it from being made; undefined since one was ready */
  private fault: Error | undefined
  private nextClient = 0
  private lookedAt = Number.NEGATIVE_INFINITY
  private healthTimer: NodeJS.Timeout | undefined
  private readonly reported = new Set<string>()

  private readonly options: ReturnType<typeof withDefaults>

  constructor(given: RedisStoreOptions) {
    const options = withDefaults(given)
    this.options = options
    this.backend = options.target.kind === 'cluster' ? 'redis-cluster' : 'redis'
    this.clients = Array.from({ length: options.connections }, () => {
      return createClient({ ...options, failed: (error) => this.noteFault(error) })
    })
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
    if (this.backend === 'redis' && roles.some(({ isClusterNode }) => isClusterNode))
      throw new ServerError('it is a node of a Redis Cluster, and has to be configured as one')
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
    await this.run((client) =>
      client.addCounts(2, inOneSlot(key), `${inOneSlot(key)}:${batchId}`, ttlMs ?? '', ...[...counts].flat()),
    )
  }

  async readCounts(key: string): Promise<ReadonlyMap<string, number>> {
    const counts = await this.run((client) => client.hgetall(inOneSlot(key)))
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
    for (const event of ['error', 'sentinelError']) client.on(event, (error: Error) => this.noteFault(error))
    client.on('close', () => {
      this.tellLost()
      this.report('cache server not connected')
    })
    client.on('ready', () => {
      this.fault = undefined
      this.report(connected)
      void this.ping().catch(() => undefined)
    })
    // Of a cluster, a master that went or came: what it holds may lack the last removals.
    client.on('-node', () => this.tellLost())
  }

  /** What a server or a socket says is kept before what ioredis makes of it: that it is not connected. */
  private noteFault(error: Error & { lastNodeError?: Error | null }): void {
    const cause: NodeJS.ErrnoException = error.lastNodeError ?? error
    const says = cause instanceof ReplyError || cause.code !== undefined
    if (says || !this.fault) this.fault = cause
    this.report(`cache server: ${cause.message || cause.code}`)
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
    this.options.log(message, message === connected ? 'info' : 'warn')
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
      const cause = error instanceof NoAnswerError ? error : (this.fault ?? error)
      throw new StoreUnavailableError('the cache server cannot be reached', { cause })
    }
  }

  private inTime<T>(work: Promise<T>): Promise<T> {
    const { commandTimeoutMs } = this.options
    return withDeadline(work, commandTimeoutMs, () => new NoAnswerError(`no answer within ${commandTimeoutMs} ms`))
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

function mastersOf(client: ScriptedClient): Redis[] {
  return client.isCluster ? (client as unknown as Cluster).nodes('master') : [client as unknown as Redis]
}

function swapArguments({ when, value, ttlMs }: Swap): (string | number)[] {
  const expected = when.state === 'unleased' ? '' : (when.expected ?? '')
  return [when.state, expected, value, ttlMs === null ? '' : Math.max(1, Math.round(ttlMs))]
}

/** The servers that a client is connected to, with commas between them. Rejects where one does not say which it is. */
async function serverOf(client: ScriptedClient): Promise<ServerRole> {
  const nodes = await Promise.all(mastersOf(client).map(nodeOf))
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
 * A replica takes over what its master holds, and gets another replication id when it is promoted: what it held before, and was known to be
 * right, is lost.
 */
async function nodeOf(node: Redis): Promise<ServerRole> {
  const [server, replication] = await Promise.all([node.info('server'), node.info('replication')])
  const runId = infoField(server, 'run_id')
  if (!runId) throw new ServerError('it does not give its run_id (INFO server)')
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
const connected = 'cache server connected'
