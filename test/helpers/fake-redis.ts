import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { until } from './until.js'

/** A server whose messages the test sends: the part of RESP3 that one subscriber with a heartbeat needs */
export interface FakeRedis {
  port: number
  /** Waits for the next heartbeat. */
  heartbeatReceived(): Promise<void>
  /** Sends the parts to the subscriber in one chunk. */
  send(...parts: string[]): void
  stop(): Promise<void>
}

export async function startFakeRedis(): Promise<FakeRedis> {
  let heartbeats = 0
  let subscriber: Socket | undefined
  const server = createServer((socket) => {
    socket.setNoDelay(true).on('data', (data) => {
      for (const [, name = ''] of data.toString().matchAll(/^\*\d+\r\n\$\d+\r\n(\w+)/gm)) {
        if (/^eval(sha)?$/i.test(name)) heartbeats += 1
        else socket.write(replies[name] ?? '+OK\r\n')
      }
    })
    subscriber = socket
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as { port: number }).port,
    async heartbeatReceived() {
      await until(() => heartbeats > 0)
      heartbeats -= 1
    },
    send: (...parts) => void subscriber?.write(parts.join('')),
    async stop() {
      subscriber?.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

/** The reply to a heartbeat: the sequence number of the last removal, and no marker */
export function heartbeatReply(number: number): string {
  return `*2\r\n${bulk(String(number))}_\r\n`
}

export function message(channel: string, text: string): string {
  return `>3\r\n${['message', channel, text].map(bulk).join('')}`
}

const replies: Record<string, string> = {
  hello: '%0\r\n',
  info: bulk('run_id:fake\r\n'),
  subscribe: ['c', 'acknowledgements'].map((name, index) => `>3\r\n${bulk('subscribe')}${bulk(name)}:${index + 1}\r\n`).join(''),
}

function bulk(text: string): string {
  return `$${text.length}\r\n${text}\r\n`
}
