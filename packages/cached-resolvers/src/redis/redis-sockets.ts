import { connect, isIP, type Socket } from 'node:net'
import { type ConnectionOptions, checkServerIdentity, connect as connectTls } from 'node:tls'
import { AbstractConnector, type RedisOptions } from 'ioredis'

/**
 * Makes ioredis use sockets that are made here. `urls` are the addresses as configured; `failed` is told of what ends a socket. Those of ioredis
 * listen to one error only, and a socket that is ended in the middle of a TLS handshake may emit two; nor do they send a server name.
 */
export function socketOptions(urls: readonly string[], failed: (error: Error) => void) {
  class Connector extends AbstractConnector {
    constructor(private readonly options: RedisOptions) {
      super(options.disconnectTimeout ?? disconnectTimeoutMs)
    }

    async connect(): Promise<Socket> {
      this.connecting = true
      // Whoever asked for it may take it back at once.
      await Promise.resolve()
      if (!this.connecting) throw new Error('Connection is closed.')
      const { host = '127.0.0.1', port = 6379, family } = this.options
      const address = { host, port, ...(family !== undefined && { family }) }
      this.stream = usesTls(urls) ? connectTls({ ...address, ...identityOf(host, urls) }) : connect(address)
      listenToErrors(this.stream, failed)
      return this.stream
    }
  }
  return { Connector: Connector as NonNullable<RedisOptions['Connector']>, ...(usesTls(urls) && { tls: {} }) }
}

/** There may be a second one, which says nothing new. */
export function listenToErrors(socket: Socket, failed: (error: Error) => void): void {
  socket.once('error', failed)
  socket.on('error', () => undefined)
}

/**
 * Who the server has to be. Clusters and sentinels name servers by their addresses, unless they are told otherwise, while certificates are for
 * names: one for any of the configured names is right there, too.
 */
export function identityOf(host: string, urls: readonly string[]): Pick<ConnectionOptions, 'servername' | 'checkServerIdentity'> {
  if (isIP(host) === 0) return { servername: withoutRootDot(host) }
  const names = urls.map((url) => withoutRootDot(hostOf(url))).filter((name) => isIP(name) === 0)
  const [servername] = names
  if (servername === undefined) return {}
  return {
    servername,
    checkServerIdentity(_, certificate) {
      const faults = [...names, host].map((name) => checkServerIdentity(name, certificate))
      return faults.includes(undefined) ? undefined : faults[0]
    },
  }
}

/** The first address says so for all. */
export function usesTls([url = '']: readonly string[]): boolean {
  return url.toLowerCase().startsWith('rediss:')
}

export function hostOf(url: string): string {
  return new URL(url).hostname.replace(/^\[|\]$/g, '')
}

/** DNS takes a name that ends with a dot as it is; no certificate has one, nor may SNI. */
function withoutRootDot(name: string): string {
  return name.replace(/\.$/, '')
}

/** How long a server may take to close a connection that was ended */
const disconnectTimeoutMs = 2_000
