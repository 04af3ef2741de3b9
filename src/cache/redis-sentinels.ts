import { Redis } from 'ioredis'

export interface SentinelTarget {
  /** Of the sentinels */
  urls: readonly [string, ...string[]]
  masterName: string
}

/** Makes a client ask the sentinels where the master is, whenever it connects. */
export function sentinelOptions({ urls, masterName }: SentinelTarget, commandTimeoutMs: number) {
  return {
    sentinels: urls.map(toAddress),
    name: masterName,
    sentinelCommandTimeout: 4 * commandTimeoutMs,
    sentinelRetryStrategy: () => 500,
    enableTLSForSentinelMode: true,
    ...(usesTls(urls) && { sentinelTLS: {} }),
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
      const sentinel = new Redis({ ...toAddress(url), ...listenerOptions, ...(usesTls(urls) && { tls: {} }) })
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

const listenerOptions = {
  autoResubscribe: false,
  connectTimeout: 2_000,
  retryStrategy: (attempt: number) => Math.min(50 * attempt, 1_000),
}

function toAddress(url: string): { host: string; port: number } {
  const { hostname, port } = new URL(url)
  return { host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? 26_379 : Number(port) }
}

function usesTls(urls: SentinelTarget['urls']): boolean {
  return urls[0].toLowerCase().startsWith('rediss:')
}
