import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import process from 'node:process'

// A separate process, so that a busy torture process does not look like a slow Redis. Its parent sends instructions for each
// proxy. It ends with its parent.

export type Instruction = { index: number } & (
  | {
      kind: 'route'
      port: number
      /** Closes open connections; otherwise they stay with their server. */
      cut: boolean
    }
  | {
      /** Withholds everything that Redis sends for `forMs`, on subscribed connections only or on all open ones. */
      kind: 'delay'
      forMs: number
      connections: DelayedConnections
    }
)

export type DelayedConnections = 'listening' | 'all'

interface Connection {
  client: Socket
  target: Socket
  listens: boolean
}

class RedisProxy {
  readonly server: Server
  private readonly connections = new Set<Connection>()

  constructor(private port: number) {
    this.server = createServer((client) => this.accept(client)).listen(0, '127.0.0.1')
  }

  follow(instruction: Instruction): void {
    if (instruction.kind === 'route') this.route(instruction.port, instruction.cut)
    else this.delay(instruction.forMs, instruction.connections)
  }

  private route(port: number, cut: boolean): void {
    this.port = port
    if (cut) for (const { client } of this.connections) client.destroy()
  }

  private delay(forMs: number, which: DelayedConnections): void {
    for (const { client, target, listens } of this.connections) {
      if (which === 'listening' && !listens) continue
      target.unpipe().pause()
      // A connection that is delayed twice must not be piped twice: every byte would arrive twice.
      setTimeout(() => target.unpipe().pipe(client), forMs)
    }
  }

  private accept(client: Socket): void {
    const connection = { client, target: connect(this.port, '127.0.0.1'), listens: false }
    const { target } = connection
    this.connections.add(connection)
    for (const [from, to] of [[client, target] as const, [target, client] as const]) {
      from.setNoDelay(true).pipe(to)
      from.on('error', () => undefined)
      from.on('close', () => {
        this.connections.delete(connection)
        to.destroy()
      })
    }
    client.on('data', (bytes) => {
      connection.listens ||= bytes.includes('\r\nsubscribe\r\n')
    })
  }
}

process.on('disconnect', () => process.exit())
const [count, firstPort] = process.argv.slice(2).map(Number) as [number, number]
const proxies = Array.from({ length: count }, () => new RedisProxy(firstPort))
process.on('message', (instruction: Instruction) => proxies[instruction.index]?.follow(instruction))
await Promise.all(proxies.map(({ server }) => once(server, 'listening')))
process.send?.(proxies.map(({ server }) => (server.address() as AddressInfo).port))
