import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { until } from './until.js'

/** A server that says what a test tells it to: just enough of RESP3 for one subscriber that asks for a number. */
export interface FakeRedis {
  port: number
  /** Waits for the next GET. */
  asked(): Promise<void>
  /** In one chunk */
  say(...parts: string[]): void
  stop(): Promise<void>
}

export async function startFakeRedis(): Promise<FakeRedis> {
  let questions = 0
  let subscriber: Socket | undefined
  const server = createServer((socket) => {
    socket.setNoDelay(true).on('data', (data) => {
      for (const [, name = ''] of data.toString().matchAll(/^\*\d+\r\n\$\d+\r\n(\w+)/gm)) {
        if (name.toLowerCase() === 'get') questions += 1
        else socket.write(replies[name] ?? '+OK\r\n')
      }
    })
    subscriber = socket
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as { port: number }).port,
    async asked() {
      await until(() => questions > 0)
      questions -= 1
    },
    say: (...parts) => void subscriber?.write(parts.join('')),
    async stop() {
      subscriber?.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

export function answer(number: number): string {
  return bulk(String(number))
}

export function message(channel: string, text: string): string {
  return `>3\r\n${['message', channel, text].map(bulk).join('')}`
}

const replies: Record<string, string> = {
  hello: '%0\r\n',
  info: bulk(''),
  subscribe: `>3\r\n${bulk('subscribe')}${bulk('c')}:1\r\n`,
}

function bulk(text: string): string {
  return `$${text.length}\r\n${text}\r\n`
}
