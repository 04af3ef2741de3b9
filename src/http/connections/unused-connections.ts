import type { Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'

/**
 * At its stop, the server ends connections on which nothing has been received. Clients open some in advance, and since node does not count
 * them as idle, each would hold up the stop until it is cut off.
 */
export function endUnusedConnections(server: FastifyInstance): void {
  const open = new Set<Socket>()
  server.server.on('connection', (socket) => {
    // Another one for the same socket follows an upgrade that was ignored.
    if (open.has(socket)) return
    open.add(socket)
    socket.once('close', () => open.delete(socket))
  })
  server.addHook('preClose', async () => {
    for (const socket of open) if (socket.bytesRead === 0) socket.destroy()
  })
}
