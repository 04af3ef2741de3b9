import type { Socket } from 'node:net'
import { Redis, type RedisOptions, SentinelConnector } from 'ioredis'
import { hostOf, identityOf, listenToErrors, socketOptions, usesTls } from './redis-sockets.js'

export interface SentinelTarget {
  /** Of the sentinels */
  urls: readonly [string, ...string[]]
  masterName: string
}

/** Makes a client ask the sentinels where the master is, whenever it connects. `failed` is told of what ends a socket. */
export function sentinelOptions({ urls, masterName }: SentinelTarget, commandTimeoutMs: number, failed: (error: Error) => void) {
  const sockets = socketOptions(urls, failed)
  class Connector extends (SentinelConnector as unknown as new (options: unknown) => Overridable) {
    override async connect(emit: Emit): Promise<Socket> {
      const socket = await super.connect(emit)
      listenToErrors(socket, failed)
      return socket
    }

    override connectToSentinel({ host, port }: Address): Redis {
      const commandTimeout = 4 * commandTimeoutMs
      return new Redis({
        host,
        port,
        ...sockets,
        ...listenerOptions,
        commandTimeout,
        enableReadyCheck: false,
        retryStrategy: null,
      })
    }
  }
  return {
    sentinels: urls.map(toAddress),
    name: masterName,
    sentinelRetryStrategy: () => 500,
    enableTLSForSentinelMode: true,
    ...sockets,
    Connector: Connector as unknown as NonNullable<RedisOptions['Connector']>,
    // What the answer of a sentinel becomes is what the socket is made with.
    ...(usesTls(urls) && { natMap: (key: string) => identified(key, urls) }),
  }
}

/**
 * Calls back when a sentinel says that another server is the master now. A connection to the old one may not notice: a server that
 * hung, or that only the sentinels could not reach, goes on answering as if nothing had happened.
 */
export class SentinelWatch {
  private readonly sentinels: Redis[]

  constructor({ urls, masterName }: SentinelTarget, switched: () => void) {
    this.sentinels = urls.map((url) => {
      const sentinel = new Redis({ ...toAddress(url), ...listenerOptions, ...socketOptions(urls, () => undefined) })
      sentinel.on('error', () => undefined)
      sentinel.on('ready', () => void sentinel.subscribe('+switch-master').catch(() => undefined))
      sentinel.on('message', (_: string, message: string) => {
        if (message.startsWith(`${masterName} `)) switched()
      })
      return sentinel
    })
  }

  stop(): void {
    for (const sentinel of this.sentinels) sentinel.disconnect()
  }
}

interface Address {
  host: string
  port: number
}

/** Of SentinelConnector, which has no option for the sockets to the sentinels, but a method that its types keep private */
interface Overridable {
  connect(emit: Emit): Promise<Socket>
  connectToSentinel(address: Address): Redis
}

type Emit = (type: string, error: Error) => void

const listenerOptions = {
  autoResubscribe: false,
  connectTimeout: 2_000,
  retryStrategy: (attempt: number) => Math.min(50 * attempt, 1_000),
}

function toAddress(url: string): Address {
  const { port } = new URL(url)
  return { host: hostOf(url), port: port === '' ? 26_379 : Number(port) }
}

function identified(key: string, urls: readonly string[]): Address {
  const separator = key.lastIndexOf(':')
  const host = key.slice(0, separator)
  return { host, port: Number(key.slice(separator + 1)), ...identityOf(host, urls) }
}
