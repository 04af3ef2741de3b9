import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { networkOfAddress } from './client.js'
import { responseOn } from './response-closed.js'

export interface OpenConnectionsOptions {
  max: number
  /** Connections from there are closed when they come, without a word. */
  isBarred: (network: string) => boolean
  /** Answered on whatever connection they come */
  probePaths: readonly string[]
  refuse: (request: IncomingMessage, response: ServerResponse) => void
}

/**
 * Bounds the connections that are open at once. When all are taken, one that waits for its client is closed for a new one: of the network
 * that has the most. Where there is none, new ones are refused whatever they ask, except for probes: an orchestrator must not take a process
 * that is full for a dead one. What comes from networks that are barred is closed before node prepares anything for it.
 */
export class OpenConnections {
  /** By network; the one that was looked at longest ago comes first. */
  private readonly open = new Map<string, Set<Socket>>()
  private openCount = 0
  /** Beyond the most */
  private readonly reserved = new Set<Socket>()
  private readonly networks = new WeakMap<Socket, string>()
  private readonly upgraded = new WeakSet<Socket>()

  constructor(private readonly options: OpenConnectionsOptions) {}

  watch(server: Server): void {
    // One more may be accepted before the one that it replaces has been closed.
    server.maxConnections = this.options.max + 2 * reserve
    const listeners = server.listeners('connection') as ((socket: Socket) => void)[]
    server.removeAllListeners('connection')
    server.on('connection', (socket) => {
      if (this.isBarred(socket)) return void socket.destroy()
      this.add(socket)
      for (const listener of listeners) listener.call(server, socket)
    })
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

  private isBarred(socket: Socket): boolean {
    return !this.networks.has(socket) && this.options.isBarred(networkOfAddress(socket.remoteAddress))
  }

  private add(socket: Socket): void {
    // What was no upgrade is read once more, as a new connection.
    this.upgraded.delete(socket)
    if (this.networks.has(socket)) return
    this.networks.set(socket, networkOfAddress(socket.remoteAddress))
    socket.once('close', () => this.remove(socket))
    if (this.openCount >= this.options.max) this.closeOneThatWaits()
    if (this.openCount < this.options.max) this.admit(socket)
    else this.reserve(socket)
  }

  private admit(socket: Socket): void {
    const network = this.networks.get(socket) as string
    const sockets = this.open.get(network) ?? new Set()
    this.open.set(network, sockets.add(socket))
    this.openCount += 1
  }

  /** Whether it was one of them */
  private dismiss(socket: Socket): boolean {
    const network = this.networks.get(socket) as string
    const sockets = this.open.get(network)
    if (!sockets?.delete(socket)) return false
    if (sockets.size === 0) this.open.delete(network)
    this.openCount -= 1
    return true
  }

  private closeOneThatWaits(): void {
    const looks = { left: maxLooks }
    for (const sockets of this.largestFirst()) {
      const waiting = this.findWaiting(sockets, looks)
      if (!waiting) continue
      this.dismiss(waiting)
      waiting.destroy()
      return
    }
  }

  private *largestFirst(): Iterable<Set<Socket>> {
    let largest = new Set<Socket>()
    for (const sockets of this.open.values()) if (sockets.size > largest.size) largest = sockets
    yield largest
    for (const sockets of this.open.values()) if (sockets !== largest) yield sockets
  }

  private findWaiting(sockets: Set<Socket>, looks: { left: number }): Socket | undefined {
    // A copy: what was looked at goes to the end.
    for (const socket of [...sockets].slice(0, looks.left)) {
      if (this.waitsForClient(socket)) return socket
      sockets.delete(socket)
      sockets.add(socket)
      looks.left -= 1
    }
    return undefined
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
    if (!this.dismiss(socket)) return
    const [next] = this.reserved
    if (!next) return
    this.reserved.delete(next)
    this.admit(next)
  }
}

const reserve = 32
/** For a new connection */
const maxLooks = 1_000
