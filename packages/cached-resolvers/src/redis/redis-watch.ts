import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import calculateSlot from 'cluster-key-slot'
import { type Cluster, Redis, ReplyError } from 'ioredis'
import { Acknowledgements } from '../cache/acknowledgements.js'
import { withDeadline } from '../cache/deadline.js'
import type { Watcher } from '../cache/store.js'
import { endWithoutDatabase } from './redis-clients.js'
import { heartbeatScript, type ScriptedClient } from './redis-scripts.js'

export interface RedisWatchOptions {
  channel: string
  commandTimeoutMs: number
  /** Called when the subscribed server is not (or no longer) a master. */
  onReplica: () => void
  log: (message: string) => void
}

/**
 * Subscribes to the removals that all processes publish, on a separate connection to the server that assigns their sequence
 * numbers. A heartbeat on the same connection returns the last number, which proves that all earlier removals have arrived, or
 * that some are missing. The heartbeat also makes the watcher a member of the channel for the time of its lease: a process that
 * publishes a removal waits until all members have acknowledged it.
 */
export class RedisWatch {
  /** Identifies this process in the hash of members and in the name of its acknowledgement channel */
  readonly id = randomUUID()
  readonly acknowledgements = new Acknowledgements()
  /** Defined while subscribed */
  private subscriber: Subscriber | undefined
  /** Sequence number of the last removal; NaN while unknown, so that the next removal counts as a gap. */
  private lastSequence = Number.NaN
  private pendingHeartbeat: PendingHeartbeat | undefined
  /** By acknowledgement channel, the last sequence number to acknowledge at the end of this event loop turn */
  private readonly pendingAcknowledgements = new Map<string, string>()
  private reopenMs = minReopenMs
  private stopped = false
  private readonly heartbeatTimer: NodeJS.Timeout

  constructor(
    private readonly source: Redis | Cluster,
    private readonly options: RedisWatchOptions,
    private readonly watcher: Watcher,
  ) {
    this.heartbeatTimer = setInterval(() => this.sendHeartbeat(), heartbeatMs)
    this.heartbeatTimer.unref()
    void this.keepListening()
  }

  /** Duration of the lease in milliseconds ('' without a near store), and '1' while this process is certainly a member. */
  get membership(): [leaseMs: number | '', isMember: '1' | ''] {
    const { subscriber, watcher } = this
    return [watcher.leaseMs ?? '', subscriber && watcher.now() < subscriber.leasedUntil ? '1' : '']
  }

  /** Channel on which members acknowledge removals of this process; undefined while it is not subscribed. */
  get acknowledgeChannel(): string | undefined {
    return this.subscriber && acknowledgeChannel(this.options.channel, this.id)
  }

  stop(): void {
    this.stopped = true
    clearInterval(this.heartbeatTimer)
    this.reopen()
  }

  /** Drops the connection at once, since a server that hangs would not close it. */
  reopen(): void {
    this.subscriber?.client.disconnect()
    this.subscriber = undefined
    this.pendingHeartbeat = undefined
  }

  private async keepListening(): Promise<void> {
    while (!this.stopped) {
      await this.listen().catch((error) => this.logError(error))
      this.noteGap()
      await sleep(this.reopenMs, undefined, { ref: false })
      this.reopenMs = Math.min(2 * this.reopenMs, maxReopenMs)
    }
  }

  /** Connects and subscribes; resolves when the connection ends. */
  private async listen(): Promise<void> {
    const client = await this.createClient()
    const ended = new Promise((resolve) => client.once('end', resolve))
    client.on('error', () => undefined)
    client.on('message', (channel: string, message: string) => this.receive(channel, message))
    try {
      await withDeadline(client.connect(), connectTimeoutMs, timeoutError)
      const runId = infoField(await this.withTimeout(client.info('server')), 'run_id')
      const { channel } = this.options
      await this.withTimeout(client.subscribe(channel, acknowledgeChannel(channel, this.id)))
      if (this.stopped) return
      // Reads in progress may have missed a removal.
      this.noteGap()
      this.subscriber = { client, runId: runId ?? '', leasedUntil: Number.NEGATIVE_INFINITY }
      this.sendHeartbeat()
      await ended
    } finally {
      this.subscriber = undefined
      client.disconnect()
    }
  }

  private receive(channel: string, message: string): void {
    if (channel === this.options.channel) this.receiveRemoval(message)
    else this.receiveAcknowledgement(message)
  }

  private receiveRemoval(message: string): void {
    const [number = '', ...keys] = message.split('\n')
    // The previous version of the program requests no acknowledgement, and treats this line as another key.
    const acknowledgeTo = keys[0]?.startsWith(acknowledgePrefix) ? keys.shift()?.slice(acknowledgePrefix.length) : undefined
    if (Number(number) !== this.lastSequence + 1) this.noteGap()
    this.lastSequence = Number(number)
    this.watcher.onRemoved(keys)
    if (acknowledgeTo && this.watcher.leaseMs !== null) this.acknowledge(acknowledgeTo, number)
  }

  /** Acknowledges once per event loop turn and channel: a number acknowledges all before it. */
  private acknowledge(channel: string, number: string): void {
    if (this.pendingAcknowledgements.size === 0) setImmediate(() => this.sendAcknowledgements())
    this.pendingAcknowledgements.set(channel, number)
  }

  private sendAcknowledgements(): void {
    for (const [channel, number] of this.pendingAcknowledgements)
      this.subscriber?.client.publish(channel, `${this.id}\n${number}`).catch(() => undefined)
    this.pendingAcknowledgements.clear()
  }

  private receiveAcknowledgement(message: string): void {
    const [member = '', number] = message.split('\n')
    this.acknowledgements.acknowledge(member, Number(number))
  }

  private sendHeartbeat(): void {
    const { subscriber, watcher } = this
    if (!subscriber || this.pendingHeartbeat) return
    const heartbeat: PendingHeartbeat = { sentAt: watcher.now(), lastSequence: this.lastSequence }
    this.pendingHeartbeat = heartbeat
    const [leaseMs, isMember] = this.membership
    const keys = [sequenceKey(this.options.channel), membersKey(this.options.channel)]
    // On a cluster, the registration may be on another node.
    if (!this.source.isCluster) keys.push(watcher.registrationKey)
    this.withTimeout(subscriber.client.heartbeat(keys.length, ...keys, this.id, leaseMs, watcher.registration ?? '', isMember))
      .then((reply) => {
        // The reply of another command: replies are out of order, so nothing on this connection can be trusted.
        if (!Array.isArray(reply)) throw new Error('unexpected reply to a heartbeat of the cache server')
        const [number, registration] = reply
        this.receiveHeartbeatReply(Number(number ?? 0), this.source.isCluster ? undefined : registration, heartbeat)
      })
      .catch((error) => this.receiveHeartbeatError(error, heartbeat))
  }

  /**
   * A message is handled while it is parsed; a reply in a promise, after the messages that follow it in the same chunk. So
   * `number` may be any of the numbers received since the heartbeat was sent. If these have a gap, the heartbeat was dropped, and
   * the next one decides.
   */
  private receiveHeartbeatReply(number: number, registration: string | null | undefined, heartbeat: PendingHeartbeat): void {
    if (heartbeat !== this.pendingHeartbeat || !this.subscriber) return
    this.pendingHeartbeat = undefined
    const isHeard = heartbeat.lastSequence <= number && number <= this.lastSequence
    if (!isHeard) {
      this.noteGap()
      this.lastSequence = number
    }
    this.reopenMs = minReopenMs
    this.subscriber.leasedUntil = heartbeat.sentAt + (this.watcher.leaseMs ?? 0)
    this.watcher.onUpToDate(heartbeat.sentAt, { runId: this.subscriber.runId, registration })
  }

  private receiveHeartbeatError(error: Error, heartbeat: PendingHeartbeat): void {
    if (heartbeat !== this.pendingHeartbeat) return
    this.pendingHeartbeat = undefined
    this.logError(error)
    // A full server still publishes removals; only the near store is not used meanwhile.
    if (error instanceof ReplyError && error.message.includes('OOM')) return
    if (error instanceof ReplyError && error.message.includes('READONLY')) this.options.onReplica()
    this.reopen()
  }

  private noteGap(): void {
    this.lastSequence = Number.NaN
    this.pendingHeartbeat = undefined
    // Sequence numbers of one server mean nothing on another.
    this.pendingAcknowledgements.clear()
    this.watcher.onMissedRemovals()
  }

  private withTimeout<T>(work: Promise<T>): Promise<T> {
    return withDeadline(work, this.options.commandTimeoutMs, timeoutError)
  }

  private logError(error: Error): void {
    if (error instanceof ReplyError || isResp2(error)) this.options.log(`the near store is not used: ${error.message}`)
  }

  private async createClient(): Promise<SubscriberClient> {
    const client = await this.createConnection()
    client.defineCommand('heartbeat', { lua: heartbeatScript })
    return client as SubscriberClient
  }

  private async createConnection(): Promise<Redis> {
    const options = { lazyConnect: true, retryStrategy: () => null, sentinelRetryStrategy: () => null, autoResubscribe: false }
    if (!this.source.isCluster) {
      const client = (this.source as Redis).duplicate(options)
      endWithoutDatabase(client)
      return client
    }
    const cluster = this.source as Cluster
    const [host, port] = await findMaster(cluster, calculateSlot(sequenceKey(this.options.channel)))
    return new Redis(port, host, Object.assign({}, cluster.options.redisOptions as object, options))
  }
}

type SubscriberClient = Redis & Pick<ScriptedClient, 'heartbeat'>

interface Subscriber {
  client: SubscriberClient
  /** run_id of the subscribed server */
  runId: string
  /** Until when this process is certainly a member */
  leasedUntil: number
}

interface PendingHeartbeat {
  sentAt: number
  /** `lastSequence` of the watch when it was sent */
  lastSequence: number
}

/**
 * Key of the sequence number of the last removal. The previous version used another key but the same channel: both versions then
 * see gaps, and clear their near stores.
 */
export function sequenceKey(channel: string): string {
  return withHashTag(channel)
}

/** Key of the hash of members: when the lease of each one ends, in milliseconds by the clock of the server */
export function membersKey(channel: string): string {
  return `${withHashTag(channel)}:members`
}

/**
 * Adds a hash tag, so that a cluster keeps all keys with this prefix in one slot. The part before the first colon stays in front,
 * since the ACL of the user may allow only keys that begin with it.
 */
export function withHashTag(key: string): string {
  const start = key.indexOf(':') + 1
  return `${key.slice(0, start)}{${key.slice(start)}}`
}

/** A field of a reply to INFO; null if it is absent. */
export function infoField(text: string, name: string): string | null {
  return new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(text)?.[1] ?? null
}

/** Prefix of the acknowledgement channel in a message. No key begins with it. */
export const acknowledgePrefix = '>'

function acknowledgeChannel(channel: string, id: string): string {
  return `${channel}:acknowledgements:${id}`
}

function timeoutError(): Error {
  return new Error('the cache server does not answer')
}

/** Without RESP3 (Redis 6 or newer, HELLO allowed), a subscribed connection cannot send other commands. */
function isResp2(error: Error): boolean {
  return error.message.includes('subscriber mode')
}

async function findMaster(cluster: Cluster, slot: number): Promise<[string, number]> {
  const ranges = await cluster.cluster('SLOTS')
  const range = ranges.find(([first, last]) => first <= slot && slot <= last)
  if (!range) throw new Error('The cluster does not serve every slot')
  const [, , [host, port]] = range as unknown as [number, number, [string, number]]
  return [host, port]
}

const heartbeatMs = 100
const connectTimeoutMs = 2_000
const minReopenMs = 100
/** Limits the retries at a server that always refuses to subscribe. */
const maxReopenMs = 5_000
