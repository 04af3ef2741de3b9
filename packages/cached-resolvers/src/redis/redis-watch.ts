import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import calculateSlot from 'cluster-key-slot'
import { type Cluster, Redis, ReplyError } from 'ioredis'
import { Acknowledgements } from '../cache/acknowledgements.js'
import { withDeadline } from '../cache/deadline.js'
import type { Watcher } from '../cache/store.js'
import { disconnectIfSelectFails } from './redis-clients.js'
import { heartbeatScript, type ScriptedClient } from './redis-scripts.js'

export interface RedisWatchOptions {
  channel: string
  commandTimeoutMs: number
  /** Called when the subscribed server turns out to be a replica. */
  onReplica: () => void
  log: (message: string) => void
}

/**
 * Subscribes to the removals that all processes publish, on a separate connection to the server that assigns the sequence numbers
 * of removals. A heartbeat on this connection returns the sequence number of the last removal, which proves that all removals
 * have arrived, or reveals that some are missing. The heartbeat also makes the watcher a member of the channel for the time of
 * its near lease (see Watcher.nearLeaseMs). A process that publishes a removal waits until each other member has acknowledged the
 * removal or the near lease of that member has expired.
 */
export class RedisWatch {
  /** Identifies this process in the hash of members and in the name of its acknowledgement channel */
  readonly id = randomUUID()
  readonly acknowledgements = new Acknowledgements()
  /** Defined while subscribed */
  private subscriber: Subscriber | undefined
  /** Sequence number of the last removal received; NaN while unknown, so that the next removal counts as a gap. */
  private lastSequence = Number.NaN
  private pendingHeartbeat: PendingHeartbeat | undefined
  /** The last sequence number to acknowledge at the end of this event loop iteration, by acknowledgement channel */
  private readonly pendingAcknowledgements = new Map<string, string>()
  private reconnectDelayMs = minReconnectDelayMs
  private stopped = false
  private readonly heartbeatTimer: NodeJS.Timeout

  constructor(
    /** A client of the store. The watch opens its own connection: to the same server or, in a cluster, to the master of the sequence key. */
    private readonly storeClient: Redis | Cluster,
    private readonly options: RedisWatchOptions,
    private readonly watcher: Watcher,
  ) {
    this.heartbeatTimer = setInterval(() => this.sendHeartbeat(), heartbeatMs)
    this.heartbeatTimer.unref()
    void this.keepListening()
  }

  /**
   * Two arguments of the scripts that maintain the membership: the duration of the near lease in milliseconds ('' without a near
   * store), and '1' while the near lease that this process last obtained has not ended, so that the members must contain it ('' otherwise)
   */
  get membership(): [nearLeaseMs: number | '', isMember: '1' | ''] {
    const { subscriber, watcher } = this
    return [watcher.nearLeaseMs ?? '', subscriber && watcher.now() < subscriber.leasedUntil ? '1' : '']
  }

  /** Channel on which members acknowledge the removals of this process; undefined while the watch is not subscribed. */
  get acknowledgeChannel(): string | undefined {
    return this.subscriber && acknowledgeChannel(this.options.channel, this.id)
  }

  stop(): void {
    this.stopped = true
    clearInterval(this.heartbeatTimer)
    this.disconnect()
  }

  /** Drops the connection without waiting for the server, which may hang. The watch then reconnects, unless it was stopped. */
  disconnect(): void {
    this.subscriber?.client.disconnect()
    this.subscriber = undefined
    this.pendingHeartbeat = undefined
  }

  /** Connects again after each end of the connection, with a growing delay, until the watch is stopped. */
  private async keepListening(): Promise<void> {
    while (!this.stopped) {
      await this.listen().catch((error) => this.logIfRejected(error))
      this.assumeMissedRemovals()
      await sleep(this.reconnectDelayMs, undefined, { ref: false })
      this.reconnectDelayMs = Math.min(2 * this.reconnectDelayMs, maxReconnectDelayMs)
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
      // Removals published before the subscription were not received, so reads in progress must not fill the near store.
      this.assumeMissedRemovals()
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
    // The lines of a message: the sequence number, `>` directly followed by the acknowledgement channel, then one line for each removed
    // key. The previous version of the program sends no second line, and takes one that it receives for a removed key.
    const acknowledgeTo = keys[0]?.startsWith(acknowledgePrefix) ? keys.shift()?.slice(acknowledgePrefix.length) : undefined
    if (Number(number) !== this.lastSequence + 1) this.assumeMissedRemovals()
    this.lastSequence = Number(number)
    this.watcher.onRemoved(keys)
    // The publisher waits for this process, unless it is this process itself, which applies its own removals directly, or this process
    // keeps no near entries.
    const publisherWaits = acknowledgeTo !== this.acknowledgeChannel && this.watcher.nearLeaseMs !== null
    if (acknowledgeTo && publisherWaits) this.acknowledge(acknowledgeTo, number)
  }

  /** Acknowledges once per event loop iteration and channel, because a sequence number also acknowledges all lower numbers. */
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
    const [nearLeaseMs, isMember] = this.membership
    const keys = [sequenceKey(this.options.channel), membersKey(this.options.channel)]
    // In a cluster, the registration key may be on another node than the sequence key.
    if (!this.storeClient.isCluster) keys.push(watcher.registrationKey)
    this.withTimeout(
      subscriber.client.heartbeat(keys.length, ...keys, this.id, nearLeaseMs, watcher.registration ?? '', isMember),
    )
      .then((reply) => {
        // A heartbeat always replies with an array. Any other reply belongs to another command, and all later replies would be matched
        // to the wrong commands, too. The error closes the connection.
        if (!Array.isArray(reply)) throw new Error('The cache server sent an unexpected reply to a heartbeat')
        const [number, registration] = reply
        this.receiveHeartbeatReply(Number(number ?? 0), this.storeClient.isCluster ? undefined : registration, heartbeat)
      })
      .catch((error) => this.receiveHeartbeatError(error, heartbeat))
  }

  /**
   * If no removal is missing, the reported sequence number is at least `heartbeat.lastSequence`, since removals may be published
   * before the server executes the heartbeat, and at most `this.lastSequence`: ioredis emits messages synchronously while parsing
   * but resolves replies in a later microtask, so removals that follow the reply in the same chunk were handled first. If a gap
   * was noticed after the heartbeat was sent, this heartbeat was already discarded, and only a later heartbeat can prove that no
   * removal is missing. If the reply itself reveals a gap, the near store is emptied first. The emptied store contains nothing
   * outdated, so calling `onUpToDate` is correct in this case, too.
   */
  private receiveHeartbeatReply(number: number, registration: string | null | undefined, heartbeat: PendingHeartbeat): void {
    if (heartbeat !== this.pendingHeartbeat || !this.subscriber) return
    this.pendingHeartbeat = undefined
    const isInSequence = heartbeat.lastSequence <= number && number <= this.lastSequence
    if (!isInSequence) {
      this.assumeMissedRemovals()
      this.lastSequence = number
    }
    this.reconnectDelayMs = minReconnectDelayMs
    this.subscriber.leasedUntil = heartbeat.sentAt + (this.watcher.nearLeaseMs ?? 0)
    this.watcher.onUpToDate(heartbeat.sentAt, { runId: this.subscriber.runId, registration })
  }

  private receiveHeartbeatError(error: Error, heartbeat: PendingHeartbeat): void {
    if (heartbeat !== this.pendingHeartbeat) return
    this.pendingHeartbeat = undefined
    this.logIfRejected(error)
    // A full server still publishes removals, so stay subscribed. The near store is not used until a heartbeat succeeds.
    if (error instanceof ReplyError && error.message.includes('OOM')) return
    if (error instanceof ReplyError && error.message.includes('READONLY')) this.options.onReplica()
    this.disconnect()
  }

  /**
   * Reports that removals may be missing: the watcher then empties the near store, and does not use it until the next `onUpToDate`.
   * Forgets the pending heartbeat and the last sequence number. The next heartbeat reply or removal sets the sequence number again.
   * Called after each end of a connection, before each new subscription, and when a gap is noticed.
   */
  private assumeMissedRemovals(): void {
    this.lastSequence = Number.NaN
    this.pendingHeartbeat = undefined
    // The sequence numbers may begin again: on another server after a reconnect, or on this server after its sequence key was lost,
    // which is noticed as a gap. A pending acknowledgement has a number of the old
    // sequence. If that is larger, it would also acknowledge removals of the new sequence that have not arrived yet.
    this.pendingAcknowledgements.clear()
    this.watcher.onMissedRemovals()
  }

  private withTimeout<T>(work: Promise<T>): Promise<T> {
    return withDeadline(work, this.options.commandTimeoutMs, timeoutError)
  }

  /**
   * Logs an error reply of the server, and the error of a RESP2 connection. Does not log timeouts and lost connections, nor
   * anything while the store is distrusted, because Trust then logs why the whole cache is not used.
   */
  private logIfRejected(error: Error): void {
    if (this.watcher.registration === undefined) return
    if (error instanceof ReplyError || isResp2(error))
      this.options.log(`the near store is not used: ${error.message}. Will retry`)
  }

  private async createClient(): Promise<SubscriberClient> {
    const client = await this.createConnection()
    client.defineCommand('heartbeat', { lua: heartbeatScript })
    return client as SubscriberClient
  }

  private async createConnection(): Promise<Redis> {
    const options = { lazyConnect: true, retryStrategy: () => null, sentinelRetryStrategy: () => null, autoResubscribe: false }
    if (!this.storeClient.isCluster) {
      const client = (this.storeClient as Redis).duplicate(options)
      disconnectIfSelectFails(client)
      return client
    }
    const cluster = this.storeClient as Cluster
    const [host, port] = await findMaster(cluster, calculateSlot(sequenceKey(this.options.channel)))
    return new Redis(port, host, Object.assign({}, cluster.options.redisOptions as object, options))
  }
}

type SubscriberClient = Redis & Pick<ScriptedClient, 'heartbeat'>

interface Subscriber {
  client: SubscriberClient
  /** run_id of the subscribed server */
  runId: string
  /** Time (by `watcher.now()`) until which the members must contain this process */
  leasedUntil: number
}

interface PendingHeartbeat {
  sentAt: number
  /** `lastSequence` of the watch when the heartbeat was sent */
  lastSequence: number
}

/**
 * Returns the key of the sequence number of the last removal. The previous version of the program uses another key but the same
 * channel. While both versions run, their processes notice gaps and clear their near stores.
 */
export function sequenceKey(channel: string): string {
  return withHashTag(channel)
}

/** Returns the key of the members hash, which contains the end of each member's lease in milliseconds by the server's clock. */
export function membersKey(channel: string): string {
  return `${withHashTag(channel)}:members`
}

/**
 * Adds a hash tag, so that a cluster keeps this key and all keys that extend it in one slot. The part before the first colon
 * remains the prefix, since the ACL of the user may allow only keys that begin with that part.
 */
export function withHashTag(key: string): string {
  const start = key.indexOf(':') + 1
  return `${key.slice(0, start)}{${key.slice(start)}}`
}

/** Returns a field of a reply to INFO; null if the field is absent. */
export function infoField(text: string, name: string): string | null {
  return new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(text)?.[1] ?? null
}

/** Prefix of the acknowledgement channel in a message. No key begins with it. */
export const acknowledgePrefix = '>'

function acknowledgeChannel(channel: string, id: string): string {
  return `${channel}:acknowledgements:${id}`
}

function timeoutError(): Error {
  return new Error('The cache server did not reply in time')
}

/**
 * Whether ioredis rejected a command because the subscribed connection uses RESP2. Heartbeats need RESP3, which requires Redis 6
 * or newer and the right to use HELLO.
 */
function isResp2(error: Error): boolean {
  return error.message.includes('subscriber mode')
}

/** Returns host and port of the master that serves a hash slot. */
async function findMaster(cluster: Cluster, slot: number): Promise<[string, number]> {
  const ranges = await cluster.cluster('SLOTS')
  const range = ranges.find(([first, last]) => first <= slot && slot <= last)
  if (!range) throw new Error(`No node of the cluster serves hash slot ${slot}`)
  const [, , [host, port]] = range as unknown as [number, number, [string, number]]
  return [host, port]
}

const heartbeatMs = 100
const connectTimeoutMs = 2_000
const minReconnectDelayMs = 100
/** Upper bound of the delay between attempts to listen. The delay grows until a heartbeat is answered. */
const maxReconnectDelayMs = 5_000
