import type { Socket } from 'node:net'
import { Redis, type RedisOptions, SentinelConnector } from 'ioredis'
import { hostOf, identityOf, listenToErrors, socketOptions, usesTls } from './redis-sockets.js'

export interface SentinelTarget {
  /** URLs of the sentinels */
  urls: readonly [string, ...string[]]
  masterName: string
}

/**
 * Returns ioredis options with which a client asks the sentinels for the master whenever it connects. `onError` is called with
 * the error that ends a socket.
 */
export function sentinelOptions({ urls, masterName }: SentinelTarget, commandTimeoutMs: number, onError: (error: Error) => void) {
  const sockets = socketOptions(urls, onError)
  class Connector extends (SentinelConnector as unknown as new (options: unknown) => OverridableConnector) {
    override async connect(emit: Emit): Promise<Socket> {
      const socket = await super.connect(emit)
      listenToErrors(socket, onError)
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
    // natMap maps the reply of a sentinel to the options of the socket.
    ...(usesTls(urls) && { natMap: (key: string) => withTlsIdentity(key, urls) }),
  }
}

/**
 * Subscribes to the sentinels and calls `onSwitch` when another server becomes the master. Connections to the old master may not
 * show the switch, because the old master may answer again after it hung, or only the sentinels could not reach it.
 */
export class SentinelWatch {
  private readonly sentinels: Redis[]

  constructor({ urls, masterName }: SentinelTarget, onSwitch: () => void) {
    this.sentinels = urls.map((url) => {
      const sentinel = new Redis({ ...toAddress(url), ...listenerOptions, ...socketOptions(urls, () => undefined) })
      sentinel.on('error', () => undefined)
      sentinel.on('ready', () => void sentinel.subscribe('+switch-master').catch(() => undefined))
      sentinel.on('message', (_: string, message: string) => {
        if (message.startsWith(`${masterName} `)) onSwitch()
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

/**
 * SentinelConnector has no option for the sockets to the sentinels. Overriding its method connectToSentinel() sets them, although
 * its types declare the method as private.
 */
interface OverridableConnector {
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

function withTlsIdentity(key: string, urls: readonly string[]): Address {
  const separator = key.lastIndexOf(':')
  const host = key.slice(0, separator)
  return { host, port: Number(key.slice(separator + 1)), ...identityOf(host, urls) }
}
