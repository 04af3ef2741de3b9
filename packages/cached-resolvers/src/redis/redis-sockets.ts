import { connect, isIP, type Socket } from 'node:net'
import { type ConnectionOptions, checkServerIdentity, connect as connectTls } from 'node:tls'
import { AbstractConnector, type RedisOptions } from 'ioredis'

/**
 * Returns ioredis options with which ioredis uses the sockets created here. `urls` are the configured URLs; `onError` is called
 * with the error that ends a socket. The sockets that ioredis creates send no server name (SNI). They also handle only one error,
 * while a socket that is ended during the TLS handshake may emit two.
 */
export function socketOptions(urls: readonly string[], onError: (error: Error) => void) {
  class Connector extends AbstractConnector {
    constructor(private readonly options: RedisOptions) {
      super(options.disconnectTimeout ?? disconnectTimeoutMs)
    }

    async connect(): Promise<Socket> {
      this.connecting = true
      // Let a synchronous disconnect() call after connect() take effect before a socket is created.
      await Promise.resolve()
      if (!this.connecting) throw new Error('Connection is closed.')
      const { host = '127.0.0.1', port = 6379, family } = this.options
      const address = { host, port, ...(family !== undefined && { family }) }
      this.stream = usesTls(urls) ? connectTls({ ...address, ...identityOf(host, urls) }) : connect(address)
      listenToErrors(this.stream, onError)
      return this.stream
    }
  }
  return { Connector: Connector as NonNullable<RedisOptions['Connector']>, ...(usesTls(urls) && { tls: {} }) }
}

/** Reports the first error of a socket and ignores later errors, which add no information. */
export function listenToErrors(socket: Socket, onError: (error: Error) => void): void {
  socket.once('error', onError)
  socket.on('error', () => undefined)
}

/**
 * Returns TLS options that verify the identity of a server. By default, clusters and sentinels announce servers by IP address,
 * while certificates contain names. For a server announced by IP address, a certificate for any of the configured names is
 * accepted, too.
 */
export function identityOf(host: string, urls: readonly string[]): Pick<ConnectionOptions, 'servername' | 'checkServerIdentity'> {
  if (isIP(host) === 0) return { servername: withoutRootDot(host) }
  const names = urls.map((url) => withoutRootDot(hostOf(url))).filter((name) => isIP(name) === 0)
  const [servername] = names
  if (servername === undefined) return {}
  return {
    servername,
    checkServerIdentity(_, certificate) {
      const errors = [...names, host].map((name) => checkServerIdentity(name, certificate))
      return errors.includes(undefined) ? undefined : errors[0]
    },
  }
}

/** Whether to use TLS. The scheme of the first URL applies to all URLs. */
export function usesTls([url = '']: readonly string[]): boolean {
  return url.toLowerCase().startsWith('rediss:')
}

export function hostOf(url: string): string {
  return new URL(url).hostname.replace(/^\[|\]$/g, '')
}

/** A trailing dot makes a DNS name absolute, but is not allowed in certificates and SNI. */
function withoutRootDot(name: string): string {
  return name.replace(/\.$/, '')
}

/** How long to wait for the server to close an ended connection */
const disconnectTimeoutMs = 2_000
