import type { IncomingMessage, Server } from 'node:http'
import type { Duplex } from 'node:stream'

/**
 * Handles an upgrade request as a normal request. Some clients offer HTTP/2 with every request (Upgrade: h2c), which a server may
 * ignore, but Node ignores the offer only if the server has no listener for `upgrade`. This function therefore puts the request
 * back on the socket without the upgrade headers, and passes the socket to Node as a new connection.
 */
export function ignoreUpgrade(
  server: Server,
  { method, url, httpVersion, rawHeaders }: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): void {
  const lines = [`${method} ${url} HTTP/${httpVersion}`]
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] as string
    if (!upgradeHeaders.has(name.toLowerCase())) lines.push(`${name}: ${rawHeaders[index + 1]}`)
  }
  // The parts are put back in reverse order, because unshift() prepends.
  if (head.length > 0) socket.unshift(head)
  socket.unshift(Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'))
  server.emit('connection', socket)
}

const upgradeHeaders = new Set(['upgrade', 'connection', 'http2-settings'])
