import { EventEmitter } from 'node:events'
import { clearTimeout, setTimeout } from './globals.js'
import type { Connection, Network } from './network.js'
import { ReplyError } from './redis-errors.js'
import { type ScriptName, scripts } from './redis-scripts.js'
import type { RedisMessage, RedisRequest } from './redis-server.js'
import { type SimulatedProcess, simulation } from './simulation.js'

/**
 * Replaces ioredis: the part of its API that the engine uses, with the behaviour of ioredis 6 for the options that the engine
 * sets.
 */

export { ReplyError }

type Timer = ReturnType<typeof setTimeout>

interface Options {
  connectTimeout?: number
  retryStrategy?: (attempt: number) => number | null
  reconnectOnError?: (error: Error) => boolean
}

interface PendingCommand {
  resolve: (reply: unknown) => void
  reject: (error: Error) => void
  isHandshake: boolean
}

let network: Network | undefined

export function useNetwork(simulated: Network): void {
  network = simulated
}

/** The `stream` of a client */
class Socket extends EventEmitter {
  destroyed = false

  constructor(
    private readonly connection: Connection,
    private readonly onError: (error: Error) => void,
  ) {
    super()
  }

  write(request: RedisRequest): void {
    this.connection.request(request)
  }

  destroy(error: Error): void {
    if (!this.destroyed) this.onError(error)
  }
}

export class Redis extends EventEmitter {
  stream: Socket | undefined

  status: 'wait' | 'connecting' | 'connect' | 'ready' | 'close' | 'reconnecting' | 'end' = 'wait'
  readonly isCluster = false
  private readonly owner: SimulatedProcess
  private connection: Connection | undefined
  /** Incremented for every attempt to connect, so that events of an earlier attempt are ignored. */
  private epoch = 0
  private isWritable = false
  private manuallyClosing = false
  private retryAttempts = 0
  private pending: PendingCommand[] = []
  private connectTimer: Timer | undefined
  private reconnectTimer: Timer | undefined
  private disconnectTimer: Timer | undefined

  constructor(
    private readonly url: string,
    private readonly options: Options = {},
    private readonly purpose = 'redis data',
  ) {
    super()
    const { current } = simulation()
    if (!current) throw new Error('A Redis client was created outside of a simulated process')
    this.owner = current
  }

  /** The engine duplicates a client only to subscribe. */
  duplicate(options: Options): Redis {
    return new Redis(this.url, { ...this.options, ...options }, 'redis bus')
  }

  defineCommand(name: string): void {
    if (!(name in scripts)) throw new Error(`The simulated Redis does not implement the script ${name}`)
    const script = (...args: (string | number)[]) => this.call(name as ScriptName, args)
    Object.assign(this, { [name]: script })
  }

  connect(): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.status === 'connecting' || this.status === 'connect' || this.status === 'ready') {
        reject(new Error('Redis is already connecting/connected'))
        return
      }
      this.open()
      const onReady = () => {
        this.off('close', onClose)
        resolve()
      }
      const onClose = () => {
        this.off('ready', onReady)
        reject(new Error(closedMessage))
      }
      this.once('ready', onReady)
      this.once('close', onClose)
    })
  }

  disconnect(reconnect = false): void {
    if (!reconnect) {
      this.manuallyClosing = true
      clearTimeout(this.reconnectTimer)
    }
    if (this.status === 'wait') {
      this.handleClose()
    } else if (this.status === 'connecting') {
      this.endSocket(this.epoch)
    } else if (this.connection && this.isWritable) {
      // Replies that the server sent before it saw the close are still read.
      this.isWritable = false
      this.connection.closeGracefully()
      const { epoch } = this
      this.disconnectTimer = setTimeout(() => this.endSocket(epoch), disconnectTimeoutMs)
    }
  }

  async quit(): Promise<string> {
    const reply = this.call('quit', [])
    this.manuallyClosing = true
    await reply
    this.connection?.closeGracefully()
    return 'OK'
  }

  ping = () => this.call('ping', []) as Promise<string>
  get = (key: string) => this.call('get', [key]) as Promise<string | null>
  mget = (keys: readonly string[]) => this.call('mget', keys) as Promise<(string | null)[]>
  unlink = (keys: readonly string[]) => this.call('unlink', keys) as Promise<number>
  info = (section = '') => this.call('info', [section]) as Promise<string>
  dbsize = () => this.call('dbsize', []) as Promise<number>
  randomkey = () => this.call('randomkey', []) as Promise<string | null>
  hgetall = (key: string) => this.call('hgetall', [key]) as Promise<Record<string, string>>
  publish = (channel: string, text: string) => this.call('publish', [channel, text]) as Promise<number>
  subscribe = (...channels: string[]) => this.call('subscribe', channels) as Promise<number>

  private open(): void {
    if (!network) throw new Error('No simulated network: call useNetwork() first')
    this.epoch += 1
    const { epoch } = this
    this.manuallyClosing = false
    this.setStatus('connecting')
    this.pending = []
    if (this.options.connectTimeout !== undefined) {
      this.connectTimer = setTimeout(() => this.fail(epoch, 'connect ETIMEDOUT'), this.options.connectTimeout)
    }
    const client = {
      received: (message: unknown) => this.receive(epoch, message as RedisMessage),
      closed: () => this.endSocket(epoch),
    }
    network.connect(this.owner, this.url, this.purpose, client, (outcome) => {
      if (epoch !== this.epoch || this.status !== 'connecting') {
        if (outcome.state === 'connected') outcome.connection.destroy()
      } else if (outcome.state === 'refused') {
        this.fail(epoch, 'connect ECONNREFUSED')
      } else {
        clearTimeout(this.connectTimer)
        this.connection = outcome.connection
        this.stream = new Socket(outcome.connection, ({ message }) => this.fail(epoch, message))
        this.isWritable = true
        this.setStatus('connect')
        this.handshake(epoch).catch((error: Error) => {
          if (epoch !== this.epoch || this.status !== 'connect') return
          this.emitError(error)
          this.disconnect(true)
        })
      }
    })
  }

  private async handshake(epoch: number): Promise<void> {
    await this.send({ name: 'hello', args: [] }, true)
    await this.send({ name: 'info', args: [] }, true)
    if (epoch !== this.epoch || this.status !== 'connect') return
    this.retryAttempts = 0
    this.setStatus('ready')
  }

  private fail(epoch: number, message: string): void {
    if (epoch !== this.epoch) return
    this.emitError(new Error(message))
    this.endSocket(epoch)
  }

  private endSocket(epoch: number): void {
    if (epoch !== this.epoch || this.status === 'close' || this.status === 'reconnecting' || this.status === 'end') return
    this.connection?.destroy()
    this.handleClose()
  }

  private handleClose(): void {
    this.connection = undefined
    if (this.stream) this.stream.destroyed = true
    this.isWritable = false
    for (const timer of [this.connectTimer, this.disconnectTimer]) clearTimeout(timer)
    this.setStatus('close')
    this.retryAttempts += 1
    const delayMs = this.manuallyClosing ? null : (this.options.retryStrategy?.(this.retryAttempts) ?? null)
    if (delayMs === null) {
      this.manuallyClosing = false
      this.setStatus('end')
      this.flush(new Error(closedMessage))
      return
    }
    this.setStatus('reconnecting')
    this.reconnectTimer = setTimeout(() => this.open(), delayMs)
    this.flush(new Error('Reached the max retries per request limit (which is 0).'))
  }

  private flush(error: Error): void {
    for (const { reject } of this.pending.splice(0)) reject(error)
  }

  private call(name: string, args: readonly (string | number)[]): Promise<unknown> {
    if (this.status === 'end') return Promise.reject(new Error(closedMessage))
    if (this.status !== 'ready' || !this.isWritable)
      return Promise.reject(new Error("Stream isn't writeable and enableOfflineQueue options is false"))
    return this.send({ name, args }, false)
  }

  private send(request: RedisRequest, isHandshake: boolean): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.pending.push({ resolve, reject, isHandshake })
      this.stream?.write(request)
    })
  }

  private receive(epoch: number, message: RedisMessage): void {
    if (epoch !== this.epoch || !this.connection) return
    this.stream?.emit('data')
    if (message.kind === 'message') this.emit('message', message.channel, message.text)
    else this.settle(message.reply)
  }

  private settle(reply: unknown): void {
    const command = this.pending.shift()
    if (!(reply instanceof ReplyError)) {
      command?.resolve(reply)
      return
    }
    if (!command?.isHandshake && this.options.reconnectOnError?.(reply) && this.status !== 'reconnecting') this.disconnect(true)
    command?.reject(reply)
  }

  private emitError(error: Error): void {
    if (this.listenerCount('error') > 0) this.emit('error', error)
  }

  private setStatus(status: Redis['status']): void {
    this.status = status
    // ioredis emits the status in the next tick.
    queueMicrotask(() => this.emit(status))
  }
}

/** Cluster, Sentinel and custom connectors are only tested with real servers. */
class NotSimulated {
  constructor() {
    throw new Error(`The simulator has no ${new.target.name}`)
  }
}
export class Cluster extends NotSimulated {}
export class SentinelConnector extends NotSimulated {}
export class AbstractConnector extends NotSimulated {}

const closedMessage = 'Connection is closed.'
const disconnectTimeoutMs = 2_000
