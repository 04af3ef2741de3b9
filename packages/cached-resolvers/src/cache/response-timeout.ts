import type { Socket } from 'node:net'

/**
 * Destroys the socket if data was sent and nothing was received for `timeoutMs`. A host that vanishes closes no connection, and
 * the kernel retransmits for a quarter of an hour. Only traffic through this object is seen: it does not work for a socket that
 * was handed to TLS. `unansweredSince`: when data was sent before this call, on the clock of performance.now().
 */
export function destroyOnResponseTimeout(socket: Socket, timeoutMs: number, unansweredSince?: number): void {
  let waitingSince = unansweredSince
  const { write } = socket
  socket.write = (...args: unknown[]) => {
    waitingSince ??= performance.now()
    return write.apply(socket, args as Parameters<typeof write>)
  }
  socket.on('data', () => {
    waitingSince = undefined
  })
  const check = () => {
    if (socket.destroyed) return clearInterval(timer)
    if (waitingSince === undefined || performance.now() - waitingSince < timeoutMs) return
    socket.destroy(Object.assign(new Error('The server does not answer'), { code: 'ETIMEDOUT' }))
  }
  // After a stall of this process the answer may be unread in the socket. Immediates run after sockets are read.
  const timer = setInterval(() => setImmediate(check), checkIntervalMs).unref()
}

const checkIntervalMs = 250
