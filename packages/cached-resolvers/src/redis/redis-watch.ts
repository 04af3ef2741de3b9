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
  /** The server that listening leads to is no master (any more). */
  onReplica: () => void
  log: (message: string) => void
}

/**
 * Listens to the removals that all processes publish, on a connection of its own to the server that numbers them. A heartbeat on the same
 * connection asks for the last number, which proves that all published before has arrived, or that something is missing. With it the
 * watcher becomes a member of the channel for as long as its lease: whoever publishes a removal waits for its members to acknowledge.
 */
export class RedisWatch {
  /** In the list of members, and of the channel to which others acknowledge */
  readonly id = randomUUID()
  readonly acknowledgements = new Acknowledgements()
  /** While it is subscribed */
  private subscriber: Subscriber | undefined
  /** NaN while it is not known: whatever comes next is no successor of that. */
  private lastNumber = Number.NaN
  private question: Question | undefined
  /** By channel, the last number to be acknowledged there at the end of this turn */
  private readonly toAcknowledge = new Map<string, string>()
  private reopenMs = minReopenMs
  private stopped = false
  private readonly heartbeat: NodeJS.Timeout

  constructor(
    private readonly source: Redis | Cluster,
    private readonly options: RedisWatchOptions,
    private readonly watcher: Watcher,
  ) {
    this.heartbeat = setInterval(() => this.askForLastNumber(), heartbeatMs)
    this.heartbeat.unref()
    void this.listenAgainAndAgain()
  }

  /** How long members may answer from what they keep, in milliseconds ('' where nothing is kept), and '1' while this is surely one. */
  get membership(): [leaseMs: number | '', isMember: '1' | ''] {
    const { subscriber, watcher } = this
    return [watcher.leaseMs ?? '', subscriber && watcher.now() < subscriber.leasedUntil ? '1' : '']
  }

  /** Where members of this watch acknowledge; undefined while nothing would be heard there. */
  get acknowledgeChannel(): string | undefined {
    return this.subscriber && acknowledgeChannel(this.options.channel, this.id)
  }

  stop(): void {
    this.stopped = true
    clearInterval(this.heartbeat)
    this.reopen()
  }

  /** A server that hangs does not end the connection: nothing more is asked on this one. */
  reopen(): void {
    this.subscriber?.client.disconnect()
    this.subscriber = undefined
    this.question = undefined
  }

  private async listenAgainAndAgain(): Promise<void> {
    while (!this.stopped) {
      await this.listen().catch((error) => this.explain(error))
      this.miss()
      await sleep(this.reopenMs, undefined, { ref: false })
      this.reopenMs = Math.min(2 * this.reopenMs, maxReopenMs)
    }
  }

  /** Ends with the connection. */
  private async listen(): Promise<void> {
    const client = await this.createClient()
    const ended = new Promise((resolve) => client.once('end', resolve))
    client.on('error', () => undefined)
    client.on('message', (channel: string, message: string) => this.receive(channel, message))
    try {
      await withDeadline(client.connect(), connectTimeoutMs, notInTime)
      const runId = infoField(await this.inTime(client.info('server')), 'run_id')
      const { channel } = this.options
      await this.inTime(client.subscribe(channel, acknowledgeChannel(channel, this.id)))
      if (this.stopped) return
      // A removal may have been missed by what is being read now.
      this.miss()
      this.subscriber = { client, runId: runId ?? '', leasedUntil: Number.NEGATIVE_INFINITY }
      this.askForLastNumber()
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
    // A process of the version before wants no acknowledgement, and takes this line for one more key.
    const acknowledgeTo = keys[0]?.startsWith(acknowledgeSign) ? keys.shift()?.slice(acknowledgeSign.length) : undefined
    if (Number(number) !== this.lastNumber + 1) this.miss()
    this.lastNumber = Number(number)
    this.watcher.removed(keys)
    if (acknowledgeTo && this.watcher.leaseMs !== null) this.acknowledge(acknowledgeTo, number)
  }

  /** Once a turn to each process that wants to know: a number stands for all before it. */
  private acknowledge(channel: string, number: string): void {
    if (this.toAcknowledge.size === 0) setImmediate(() => this.sendAcknowledgements())
    this.toAcknowledge.set(channel, number)
  }

  private sendAcknowledgements(): void {
    for (const [channel, number] of this.toAcknowledge)
      this.subscriber?.client.publish(channel, `${this.id}\n${number}`).catch(() => undefined)
    this.toAcknowledge.clear()
  }

  private receiveAcknowledgement(message: string): void {
    const [member = '', number] = message.split('\n')
    this.acknowledgements.acknowledge(member, Number(number))
  }

  private askForLastNumber(): void {
    const { subscriber, watcher } = this
    if (!subscriber || this.question) return
    const question = { asOf: watcher.now(), lastNumber: this.lastNumber }
    this.question = question
    const [leaseMs, isMember] = this.membership
    const keys = [numberKey(this.options.channel), membersKey(this.options.channel)]
    // On a cluster the marker may lie on another node.
    if (!this.source.isCluster) keys.push(watcher.markerKey)
    this.inTime(subscriber.client.heartbeat(keys.length, ...keys, this.id, leaseMs, watcher.registration ?? '', isMember))
      .then((answer) => {
        // What answers another command shows that answers have got out of step: nothing on this connection means anything any more.
        if (!Array.isArray(answer)) throw new Error('the cache server answers something else')
        const [number, marker] = answer
        this.compare(Number(number ?? 0), this.source.isCluster ? undefined : marker, question)
      })
      .catch((error) => this.fail(error, question))
  }

  /**
   * A message is handled while it is parsed, an answer in a promise, after the messages that came behind it in the same chunk. So
   * it may be any of the numbers heard since asking; if those have a gap, the question was dropped, and the next one tells.
   */
  private compare(number: number, marker: string | null | undefined, question: Question): void {
    if (question !== this.question || !this.subscriber) return
    this.question = undefined
    const isHeard = question.lastNumber <= number && number <= this.lastNumber
    if (!isHeard) {
      this.miss()
      this.lastNumber = number
    }
    this.reopenMs = minReopenMs
    this.subscriber.leasedUntil = question.asOf + (this.watcher.leaseMs ?? 0)
    this.watcher.upToDate(question.asOf, { runId: this.subscriber.runId, marker })
  }

  private fail(error: Error, question: Question): void {
    if (question !== this.question) return
    this.question = undefined
    this.explain(error)
    // A full server goes on announcing removals; there is only no near store meanwhile.
    if (error instanceof ReplyError && error.message.includes('OOM')) return
    if (error instanceof ReplyError && error.message.includes('READONLY')) this.options.onReplica()
    this.reopen()
  }

  private miss(): void {
    this.lastNumber = Number.NaN
    this.question = undefined
    // Numbers of another server mean something else on this one.
    this.toAcknowledge.clear()
    this.watcher.missed()
  }

  private inTime<T>(work: Promise<T>): Promise<T> {
    return withDeadline(work, this.options.commandTimeoutMs, notInTime)
  }

  private explain(error: Error): void {
    if (error instanceof ReplyError || isResp2(error)) this.options.log(`the near store is not used: ${error.message}`)
  }

  private async createClient(): Promise<SubscriberClient> {
    const client = await this.createUnscripted()
    client.defineCommand('heartbeat', { lua: heartbeatScript })
    return client as SubscriberClient
  }

  private async createUnscripted(): Promise<Redis> {
    const options = { lazyConnect: true, retryStrategy: () => null, sentinelRetryStrategy: () => null, autoResubscribe: false }
    if (!this.source.isCluster) {
      const client = (this.source as Redis).duplicate(options)
      endWithoutDatabase(client)
      return client
    }
    const cluster = this.source as Cluster
    const [host, port] = await findMaster(cluster, calculateSlot(numberKey(this.options.channel)))
    return new Redis(port, host, Object.assign({}, cluster.options.redisOptions as object, options))
  }
}

type SubscriberClient = Redis & Pick<ScriptedClient, 'heartbeat'>

interface Subscriber {
  client: SubscriberClient
  /** Of the server that it listens to */
  runId: string
  /** Until when it is surely a member there */
  leasedUntil: number
}

interface Question {
  asOf: number
  /** When it was asked */
  lastNumber: number
}

/**
 * Where the number of the last removal stands. Processes of the version before, whose number stood elsewhere, hear the same channel: each
 * side finds that numbers are missing, and clears what it keeps near.
 */
export function numberKey(channel: string): string {
  return inOneSlot(channel)
}

/** A hash: until when each member may answer from what it keeps, by the server's clock, in milliseconds */
export function membersKey(channel: string): string {
  return `${inOneSlot(channel)}:members`
}

/**
 * A cluster keeps all keys that begin so together. They still begin with what all keys of an application begin with, which may be all that
 * its user has rights to.
 */
export function inOneSlot(key: string): string {
  const start = key.indexOf(':') + 1
  return `${key.slice(0, start)}{${key.slice(start)}}`
}

/** Of an INFO; null where the field is not there. */
export function infoField(text: string, name: string): string | null {
  return new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(text)?.[1] ?? null
}

/** Before the channel to acknowledge to, in a message. No key begins like that. */
export const acknowledgeSign = '>'

function acknowledgeChannel(channel: string, id: string): string {
  return `${channel}:acknowledgements:${id}`
}

function notInTime(): Error {
  return new Error('the cache server does not answer')
}

/** Without RESP3 (Redis 6 or newer, HELLO allowed), a connection that listens can ask nothing. */
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
/** A server that never lets it listen is not asked ten times a second. */
const maxReopenMs = 5_000
