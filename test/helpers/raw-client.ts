import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** A TCP client that sends arbitrary bytes */
export interface RawClient {
  socket: Socket
  /** Everything received so far */
  received: () => string
  closed: Promise<unknown>
}

export async function connectRaw(origin: string, localAddress = '127.0.0.1'): Promise<RawClient> {
  const socket = connect({ port: Number(new URL(origin).port), host: '127.0.0.1', localAddress })
  let text = ''
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1')
  })
  // A reset counts as closing the connection.
  socket.on('error', () => undefined)
  const closed = new Promise((resolve) => socket.once('close', resolve))
  await once(socket, 'connect')
  return { socket, received: () => text, closed }
}

/** The text of a POST request to /graphql */
export function postText(document: string, headers: Record<string, string | number> = {}): string {
  const body = JSON.stringify({ query: document })
  return `${headOf({ 'content-length': Buffer.byteLength(body), ...headers })}${body}`
}

export function headOf(headers: Record<string, string | number>): string {
  const all = Object.entries({ host: '127.0.0.1', 'content-type': 'application/json', ...headers })
  return `POST /graphql HTTP/1.1\r\n${all.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`
}
