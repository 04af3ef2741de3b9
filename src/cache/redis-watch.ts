import { setTimeout as sleep } from 'node:timers/promises'
import calculateSlot from 'cluster-key-slot'
import { type Cluster, Redis } from 'ioredis'
import { withDeadline } from './deadline.js'
import type { Watcher } from './store.js'

const heartbeatMs = 100
const reopenMs = 100
const connectTimeoutMs = 2_000

/**
 * Listens to the removals that all processes publish, on a connection of its own to the server that numbers them. Asking that
 * server for the last number, on the same connection, proves that all published before has arrived, or that something is missing.
 */
export class RedisWatch {
  /** While it is subscribed */
  private subscriber: Redis | undefined
  /** NaN while it is not known: whatever comes next is no successor of that. */
  private lastNumber = Number.NaN
  private question: Question | undefined
  private stopped = false
  private readonly heartbeat: NodeJS.Timeout
  private readonly numberKey: string

  constructor(
    private readonly source: Redis | Cluster,
    private readonly options: { channel: string; commandTimeoutMs: number },
    private readonly watcher: Watcher,
  ) {
    this.numberKey = numberKey(options.channel)
    this.heartbeat = setInterval(() => this.askForLastNumber(), heartbeatMs)
    this.heartbeat.unref()
    void this.listenAgainAndAgain()
  }

  stop(): void {
    this.stopped = true
    clearInterval(this.heartbeat)
    this.reopen()
  }

  /** A server that hangs does not end the connection: nothing more is asked on this one. */
  reopen(): void {
    this.subscriber?.disconnect()
    this.subscriber = undefined
    this.question = undefined
  }

  private async listenAgainAndAgain(): Promise<void> {
    while (!this.stopped) {
      await this.listen().catch(() => undefined)
      this.miss()
      await sleep(reopenMs, undefined, { ref: false })
    }
  }

  /** Ends with the connection. */
  private async listen(): Promise<void> {
    const subscriber = await this.createSubscriber()
    const ended = new Promise((resolve) => subscriber.once('end', resolve))
    subscriber.on('error', () => undefined)
    subscriber.on('message', (_: string, message: string) => this.receive(message))
    try {
      await withDeadline(subscriber.connect(), connectTimeoutMs, notInTime)
      await this.inTime(subscriber.subscribe(this.options.channel))
      if (this.stopped) return
      // What is being read now may have missed the news.
      this.miss()
      this.subscriber = subscriber
      this.askForLastNumber()
      await ended
    } finally {
      this.subscriber = undefined
      subscriber.disconnect()
    }
  }

  private receive(message: string): void {
    const [number, ...keys] = message.split('\n')
    if (Number(number) !== this.lastNumber + 1) this.miss()
    this.lastNumber = Number(number)
    this.watcher.removed(keys)
  }

  private askForLastNumber(): void {
    const { subscriber } = this
    if (!subscriber || this.question) return
    const question = { asOf: this.watcher.now(), lastNumber: this.lastNumber }
    this.question = question
    this.inTime(subscriber.get(this.numberKey)).then(
      (number) => this.compare(Number(number ?? 0), question),
      // In a cluster this may be the answer of a server that is no longer in charge.
      () => this.reopen(),
    )
  }

  /**
   * A message is handled while it is parsed, an answer in a promise, after the messages that came behind it in the same chunk. So
   * it may be any of the numbers heard since asking; if those have a gap, the question was dropped, and the next one tells.
   */
  private compare(number: number, question: Question): void {
    if (question !== this.question) return
    this.question = undefined
    const isHeard = question.lastNumber <= number && number <= this.lastNumber
    if (!isHeard) {
      this.miss()
      this.lastNumber = number
    }
    this.watcher.upToDate(question.asOf)
  }

  private miss(): void {
    this.lastNumber = Number.NaN
    this.question = undefined
    this.watcher.missed()
  }

  private inTime<T>(work: Promise<T>): Promise<T> {
    return withDeadline(work, this.options.commandTimeoutMs, notInTime)
  }

  private async createSubscriber(): Promise<Redis> {
    const options = { lazyConnect: true, retryStrategy: () => null, sentinelRetryStrategy: () => null, autoResubscribe: false }
    if (!this.source.isCluster) return (this.source as Redis).duplicate(options)
    const cluster = this.source as Cluster
    const [host, port] = await findMaster(cluster, calculateSlot(this.numberKey))
    return new Redis(port, host, Object.assign({}, cluster.options.redisOptions as object, options))
  }
}

function notInTime(): Error {
  return new Error('The cache server does not answer')
}

interface Question {
  asOf: number
  /** When it was asked */
  lastNumber: number
}

/** Where the number of the last removal stands */
export function numberKey(channel: string): string {
  return `{${channel}}`
}

async function findMaster(cluster: Cluster, slot: number): Promise<[string, number]> {
  const ranges = await cluster.cluster('SLOTS')
  const range = ranges.find(([first, last]) => first <= slot && slot <= last)
  if (!range) throw new Error('The cluster does not serve every slot')
  const [, , [host, port]] = range as unknown as [number, number, [string, number]]
  return [host, port]
}
