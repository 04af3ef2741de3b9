import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { until } from './until.js'

/** A server that says what a test tells it to: just enough of RESP3 for one subscriber with a heartbeat. */
export interface FakeRedis {
  port: number
  /** Waits for the next heartbeat. */
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
        if (/^eval(sha)?$/i.test(name)) questions += 1
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

/** Of a heartbeat: the number of the last removal, and no marker */
export function answer(number: number): string {
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
