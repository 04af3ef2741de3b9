import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import process from 'node:process'

// A program of its own, so that a busy torture does not look like a slow Redis. It does not outlive its parent, which tells it by
// messages what each proxy does.

export type Instruction = { index: number } & (
  | {
      to: 'lead'
      port: number
      /** Open connections end; otherwise they go on leading to where they led. */
      cut: boolean
    }
  | {
      /** Nothing comes from Redis for so long, then all that has collected; on the connections that listen, or on all that are open. */
      to: 'hold'
      forMs: number
      only: Held
    }
)

export type Held = 'listening' | 'all'

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
    if (instruction.to === 'lead') this.lead(instruction.port, instruction.cut)
    else this.hold(instruction.forMs, instruction.only)
  }

  private lead(port: number, cut: boolean): void {
    this.port = port
    if (cut) for (const { client } of this.connections) client.destroy()
  }

  private hold(forMs: number, only: Held): void {
    for (const { client, target, listens } of this.connections) {
      if (only === 'listening' && !listens) continue
      target.unpipe().pause()
      // Held twice, it would otherwise lead there twice, and every byte arrive twice.
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
