import { connect as dial, type NetConnectOpts, type Socket } from 'node:net'

const lookEveryMs = 250

/**
 * Connects, and ends the connection when something that was sent has had no answer for that long. A host that vanishes closes
 * nothing, and the kernel goes on sending to it for a quarter of an hour. Not for what goes over TLS: that is not seen here.
 */
export function dialAnswered(to: NetConnectOpts, silenceMs: number): Socket {
  const socket = dial(to)
  let silentSince: number | undefined
  const { write } = socket
  socket.write = (...its: unknown[]) => {
    silentSince ??= performance.now()
    return write.apply(socket, its as Parameters<typeof write>)
  }
  socket.on('data', () => {
    silentSince = undefined
  })
  const timer = setInterval(() => {
    if (socket.destroyed) return clearInterval(timer)
    if (silentSince === undefined || performance.now() - silentSince < silenceMs) return
    socket.destroy(Object.assign(new Error('The database does not answer'), { code: 'ETIMEDOUT' }))
  }, lookEveryMs).unref()
  return socket
}
