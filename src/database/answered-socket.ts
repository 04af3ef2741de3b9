import { connect as dial, type NetConnectOpts, type Socket } from 'node:net'
import { startDeadline } from '../cache/deadline.js'
import { endWhenSilent } from '../cache/silence.js'

/**
 * Connects. The socket is destroyed where there is no connection within `connectTimeoutMs`, and later when something that was sent has had
 * no answer for `silenceMs`; not for what goes over TLS, which is not seen here.
 */
export function dialAnswered(to: NetConnectOpts, connectTimeoutMs: number, silenceMs: number): Socket {
  const socket = dial(to)
  endWhenSilent(socket, silenceMs)
  const deadline = startDeadline(connectTimeoutMs, () =>
    socket.destroy(Object.assign(new Error('The database cannot be connected to in time'), { code: 'CONNECT_TIMEOUT' })),
  )
  socket.once('connect', () => deadline.cancel()).once('close', () => deadline.cancel())
  return socket
}
