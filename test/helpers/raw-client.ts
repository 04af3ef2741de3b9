import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** A client that says byte by byte what it likes. */
export interface RawClient {
  socket: Socket
  /** All that came so far */
  received: () => string
  closed: Promise<unknown>
}

export async function connectRaw(origin: string, localAddress = '127.0.0.1'): Promise<RawClient> {
  const socket = connect({ port: Number(new URL(origin).port), host: '127.0.0.1', localAddress })
  let text = ''
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1')
  })
  // A reset is one way to close it.
  socket.on('error', () => undefined)
  const closed = new Promise((resolve) => socket.once('close', resolve))
  await once(socket, 'connect')
  return { socket, received: () => text, closed }
}

/** A POST to /graphql, as text */
export function postText(document: string, headers: Record<string, string | number> = {}): string {
  const body = JSON.stringify({ query: document })
  return `${headOf({ 'content-length': Buffer.byteLength(body), ...headers })}${body}`
}

export function headOf(headers: Record<string, string | number>): string {
  const all = Object.entries({ host: '127.0.0.1', 'content-type': 'application/json', ...headers })
  return `POST /graphql HTTP/1.1\r\n${all.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`
}
