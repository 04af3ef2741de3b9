import { isIP, type Socket } from 'node:net'
import { connect as startTls, type TLSSocket } from 'node:tls'

export interface TlsPolicy {
  /** Whether the connection goes on in plain text where the server has no TLS. */
  isOptional: boolean
  isVerified: boolean
  /** Begins with TLS, without asking the server whether it has it. */
  isDirect: boolean
}

/** What the parameters of a database's URL ask for (`sslmode`, or `ssl` as the driver calls it, and `sslnegotiation`); null for plain text. */
export function readTlsPolicy(url: string): TlsPolicy | null {
  const { searchParams } = new URL(url)
  const mode = searchParams.get('sslmode') ?? searchParams.get('ssl') ?? 'disable'
  if (mode === 'disable' || mode === 'false') return null
  const isOptional = mode === 'prefer' || mode === 'allow'
  return { isOptional, isVerified: !isOptional && mode !== 'require', isDirect: searchParams.get('sslnegotiation') === 'direct' }
}

/**
 * Gives the socket over TLS, once that stands, or the plain one where the server has no TLS and the policy allows for that. A front that
 * routes by name is told the name of the host.
 */
export async function negotiateTls(socket: Socket, policy: TlsPolicy, host: string): Promise<Socket> {
  if (!policy.isDirect && !(await offersTls(socket))) {
    if (policy.isOptional) return socket
    throw Object.assign(new Error('The server has no TLS, which the URL of the database asks for'), { code: 'ECONNREFUSED' })
  }
  const secured = startTls({
    socket,
    rejectUnauthorized: policy.isVerified,
    ...(isIP(host) === 0 && { servername: host }),
    ...(policy.isDirect && { ALPNProtocols: ['postgresql'] }),
  })
  return whenSecured(secured)
}

/** Anything behind the one byte of the answer was slipped in before the encryption, and must not be taken for a part of it. */
function offersTls(socket: Socket): Promise<boolean> {
  return new Promise((resolve, reject) => {
    socket.once('data', (answer) => {
      if (answer.length === 1) resolve(answer[0] === yes)
      else reject(new Error('The server answered more than was asked'))
    })
    socket.once('close', () => reject(new Error('The server ended the connection')))
    socket.write(tlsRequest)
  })
}

function whenSecured(secured: TLSSocket): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    secured.once('secureConnect', () => resolve(secured))
    // Stays: the second error of a handshake must find a listener, too.
    secured.on('error', reject)
    secured.once('close', () => reject(new Error('The server ended the connection')))
  })
}

/** Length and code of the protocol's SSLRequest */
const tlsRequest = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47])
const yes = 'S'.charCodeAt(0)
