import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { responseOn } from './response-closed.js'

export interface OpenConnectionsOptions {
  max: number
  /** Answered on whatever connection they come */
  probePaths: readonly string[]
  refuse: (request: IncomingMessage, response: ServerResponse) => void
}

/**
 * Bounds the connections that are open at once. When all are taken, one that waits for its client is closed for a new one. Where there is
 * none, new ones are refused whatever they ask, except for probes: an orchestrator must not take a process that is full for a dead one.
 */
export class OpenConnections {
  /** The one that was looked at longest ago comes first. */
  private readonly open = new Set<Socket>()
  /** Beyond the most */
  private readonly reserved = new Set<Socket>()
  private readonly upgraded = new WeakSet<Socket>()

  constructor(private readonly options: OpenConnectionsOptions) {}

  watch(server: Server): void {
    // One more may be accepted before the one that it replaces has been closed.
    server.maxConnections = this.options.max + 2 * reserve
    server.on('connection', (socket) => this.add(socket))
    server.on('upgrade', (_, socket) => this.upgraded.add(socket as Socket))
  }

  inFrontOf(listener: RequestListener): RequestListener {
    return (request, response) => {
      if (this.reserved.size > 0 && this.reserved.has(request.socket)) {
        const isProbe = this.options.probePaths.includes(String(request.url?.split('?')[0]))
        if (!isProbe) return this.options.refuse(request, response)
        response.setHeader('connection', 'close')
      }
      listener(request, response)
    }
  }

  private add(socket: Socket): void {
    // What was no upgrade is read once more, as a new connection.
    this.upgraded.delete(socket)
    if (this.open.has(socket) || this.reserved.has(socket)) return
    socket.once('close', () => this.remove(socket))
    if (this.open.size >= this.options.max) this.closeOneThatWaits()
    if (this.open.size < this.options.max) this.open.add(socket)
    else this.reserve(socket)
  }

  private closeOneThatWaits(): void {
    let looks = 0
    for (const socket of this.open) {
      if (this.waitsForClient(socket)) {
        this.open.delete(socket)
        socket.destroy()
        return
      }
      this.open.delete(socket)
      this.open.add(socket)
      looks += 1
      if (looks === maxLooks) return
    }
  }

  /** For a request, or for the rest of one */
  private waitsForClient(socket: Socket): boolean {
    const response = responseOn(socket)
    return response ? !response.req.complete : !this.upgraded.has(socket)
  }

  private reserve(socket: Socket): void {
    this.reserved.add(socket)
    const [oldest] = this.reserved
    if (this.reserved.size > reserve) oldest?.destroy()
  }

  private remove(socket: Socket): void {
    this.reserved.delete(socket)
    if (!this.open.delete(socket)) return
    const [next] = this.reserved
    if (!next) return
    this.reserved.delete(next)
    this.open.add(next)
  }
}

const reserve = 32
/** For a new connection */
const maxLooks = 1_000
