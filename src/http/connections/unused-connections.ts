import type { Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'

/**
 * On shutdown, closes connections on which nothing was received. Browsers open connections in advance, and Node does not count
 * them as idle, so each would delay the shutdown until the timeout.
 */
export function endUnusedConnections(server: FastifyInstance): void {
  const open = new Set<Socket>()
  server.server.on('connection', (socket) => {
    // ignoreUpgrade() emits the same socket a second time.
    if (open.has(socket)) return
    open.add(socket)
    socket.once('close', () => open.delete(socket))
  })
  server.addHook('preClose', async () => {
    for (const socket of open) if (socket.bytesRead === 0) socket.destroy()
  })
}
