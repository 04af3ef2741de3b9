import type { Socket } from 'node:net'

/**
 * Destroys the socket if nothing is received within `timeoutMs` after data was sent. Without this timeout, a host that vanishes
 * is noticed late, because it does not close its connections, and the kernel retransmits for a quarter of an hour. The timeout
 * observes `write` and `data` of this socket object, so it does not work for a socket that was passed to TLS. If data was already
 * sent before this call and is unanswered, pass the time of performance.now() at which it was sent as `unansweredSince`.
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
  // If this process was stalled, the socket may contain an unread answer. Immediates run after the sockets were read.
  const timer = setInterval(() => setImmediate(check), checkIntervalMs).unref()
}

const checkIntervalMs = 250
