import type { Socket } from 'node:net'

/**
 * Destroys the socket when something that was sent has had no answer for `silenceMs`. A host that vanishes closes nothing, and the kernel
 * goes on sending to it for a quarter of an hour. Sees only what passes through this object: a socket that was handed to TLS is not watched.
 * `askedAt`: when something was sent before this was called, on the clock of performance.now()
 */
export function endWhenSilent(socket: Socket, silenceMs: number, askedAt?: number): void {
  let silentSince = askedAt
  const { write } = socket
  socket.write = (...args: unknown[]) => {
    silentSince ??= performance.now()
    return write.apply(socket, args as Parameters<typeof write>)
  }
  socket.on('data', () => {
    silentSince = undefined
  })
  const check = () => {
    if (socket.destroyed) return clearInterval(timer)
    if (silentSince === undefined || performance.now() - silentSince < silenceMs) return
    socket.destroy(Object.assign(new Error('The server does not answer'), { code: 'ETIMEDOUT' }))
  }
  // After a stall the answer may lie in the socket: an immediate runs after it was read.
  const timer = setInterval(() => setImmediate(check), checkIntervalMs).unref()
}

const checkIntervalMs = 250
