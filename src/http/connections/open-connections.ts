import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { networkOfAddress } from '../limits/client.js'
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
      if (!this.take(socket)) return void socket.destroy()
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

  /** Answers whether it is taken at all. */
  private take(socket: Socket): boolean {
    // What was no upgrade is read once more, as a new connection.
    this.upgraded.delete(socket)
    if (this.networks.has(socket)) return true
    const network = networkOfAddress(socket.remoteAddress)
    if (this.options.isBarred(network)) return false
    this.networks.set(socket, network)
    socket.once('close', () => this.remove(socket))
    if (this.openCount >= this.options.max) this.closeOneThatWaits()
    if (this.openCount < this.options.max) this.admit(socket)
    else this.reserve(socket)
    return true
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
    let looks = 0
    for (const { sockets, mostLooks } of this.largestFirst()) {
      const found = this.findWaiting(sockets, Math.min(mostLooks, maxLooks - looks))
      looks += found.looks
      if (!found.socket) continue
      this.dismiss(found.socket)
      found.socket.destroy()
      return
    }
  }

  /** The largest may be one of which nothing waits: the others have as many looks. */
  private *largestFirst(): Iterable<{ sockets: Set<Socket>; mostLooks: number }> {
    let largest = new Set<Socket>()
    for (const sockets of this.open.values()) if (sockets.size > largest.size) largest = sockets
    yield { sockets: largest, mostLooks: maxLooks / 2 }
    for (const sockets of this.open.values()) if (sockets !== largest) yield { sockets, mostLooks: maxLooks }
  }

  private findWaiting(sockets: Set<Socket>, mostLooks: number): { socket?: Socket; looks: number } {
    const most = Math.min(mostLooks, sockets.size)
    let looks = 0
    for (const socket of sockets) {
      if (looks === most) break
      looks += 1
      if (this.waitsForClient(socket)) return { socket, looks }
      // To the end
      sockets.delete(socket)
      sockets.add(socket)
    }
    return { looks }
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
