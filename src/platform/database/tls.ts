import { isIP, type Socket } from 'node:net'
import { connect as startTls, type TLSSocket } from 'node:tls'

export interface TlsPolicy {
  /** Whether to continue in plain text if the server does not support TLS */
  isOptional: boolean
  isVerified: boolean
  /** Whether to start the TLS handshake directly, without an SSLRequest first */
  isDirect: boolean
}

/**
 * The TLS policy requested by the parameters of a database URL: `sslmode` (or the driver's `ssl`) and `sslnegotiation`. Null for
 * plain text.
 */
export function readTlsPolicy(url: string): TlsPolicy | null {
  const { searchParams } = new URL(url)
  const mode = searchParams.get('sslmode') ?? searchParams.get('ssl') ?? 'disable'
  if (mode === 'disable' || mode === 'false') return null
  const isOptional = mode === 'prefer' || mode === 'allow'
  return { isOptional, isVerified: !isOptional && mode !== 'require', isDirect: searchParams.get('sslnegotiation') === 'direct' }
}

/**
 * Resolves to the TLS socket after the handshake, or to the plain socket if the server does not support TLS and the policy allows
 * that. Sends the host name (SNI), by which a proxy may route.
 */
export async function negotiateTls(socket: Socket, policy: TlsPolicy, host: string): Promise<Socket> {
  if (!policy.isDirect && !(await offersTls(socket))) {
    if (policy.isOptional) return socket
    throw Object.assign(new Error('The server does not support TLS, which the database URL requires'), { code: 'ECONNREFUSED' })
  }
  const secured = startTls({
    socket,
    rejectUnauthorized: policy.isVerified,
    ...(isIP(host) === 0 && { servername: host }),
    ...(policy.isDirect && { ALPNProtocols: ['postgresql'] }),
  })
  return finishHandshake(secured)
}

/**
 * Asks the server for TLS. Rejects any bytes after the one-byte answer, because an attacker could inject them before encryption
 * starts.
 */
function offersTls(socket: Socket): Promise<boolean> {
  return new Promise((resolve, reject) => {
    socket.once('data', (answer) => {
      if (answer.length === 1) resolve(answer[0] === accepted)
      else reject(new Error('The server sent unexpected data before the TLS handshake'))
    })
    socket.once('close', () => reject(new Error('The server closed the connection')))
    socket.write(tlsRequest)
  })
}

function finishHandshake(secured: TLSSocket): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    secured.once('secureConnect', () => resolve(secured))
    // The listener is never removed, because a handshake may emit a second error, which needs a listener as well.
    secured.on('error', reject)
    secured.once('close', () => reject(new Error('The server closed the connection')))
  })
}

/** Length and code of the protocol's SSLRequest */
const tlsRequest = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47])
const accepted = 'S'.charCodeAt(0)
