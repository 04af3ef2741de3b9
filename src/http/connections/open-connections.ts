import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { networkOfAddress } from '../limits/client.js'
import { currentResponse } from './response-closed.js'

export interface OpenConnectionsOptions {
  max: number
  /** Called once for each new connection. Returns false if the connection must be closed without a response. */
  mayConnect: (network: string) => boolean
  /** Requests for these paths are answered even on connections above the limit. */
  probePaths: readonly string[]
  refuse: (request: IncomingMessage, response: ServerResponse) => void
}

/**
 * Limits the number of open connections. At the limit, a new connection replaces a connection that is waiting for its client,
 * preferably one of the network with the most connections. If no connection is waiting for its client, requests on new
 * connections are refused, except for health probes, because an orchestrator must not mistake a full process for a dead one.
 * Connections of networks that may not connect are closed before Node allocates an HTTP parser for them.
 */
export class OpenConnections {
  /** Connections by network. In each set, the connection that was examined longest ago comes first. */
  private readonly open = new Map<string, Set<Socket>>()
  private openCount = 0
  /** Connections above the limit, on which only probes are answered */
  private readonly reserved = new Set<Socket>()
  private readonly networks = new WeakMap<Socket, string>()
  private readonly upgraded = new WeakSet<Socket>()

  constructor(private readonly options: OpenConnectionsOptions) {}

  watch(server: Server): void {
    // A new connection may be accepted before the one that it replaces is closed.
    server.maxConnections = this.options.max + 2 * reserveSize
    const listeners = server.listeners('connection') as ((socket: Socket) => void)[]
    server.removeAllListeners('connection')
    server.on('connection', (socket) => {
      if (!this.accept(socket)) return void socket.destroy()
      for (const listener of listeners) listener.call(server, socket)
    })
    server.on('upgrade', (_, socket) => this.upgraded.add(socket as Socket))
  }

  wrap(listener: RequestListener): RequestListener {
    return (request, response) => {
      if (this.reserved.size > 0 && this.reserved.has(request.socket)) {
        const isProbe = this.options.probePaths.includes(String(request.url?.split('?')[0]))
        if (!isProbe) return this.options.refuse(request, response)
        response.setHeader('connection', 'close')
      }
      listener(request, response)
    }
  }

  /** Returns false if the connection must be closed immediately. */
  private accept(socket: Socket): boolean {
    // ignoreUpgrade() emits the same socket a second time.
    this.upgraded.delete(socket)
    if (this.networks.has(socket)) return true
    const network = networkOfAddress(socket.remoteAddress)
    if (!this.options.mayConnect(network)) return false
    this.networks.set(socket, network)
    socket.once('close', () => this.remove(socket))
    if (this.openCount >= this.options.max) this.closeOneWaitingForClient()
    if (this.openCount < this.options.max) this.admit(socket)
    else this.addToReserve(socket)
    return true
  }

  private admit(socket: Socket): void {
    const network = this.networks.get(socket) as string
    const sockets = this.open.get(network) ?? new Set()
    this.open.set(network, sockets.add(socket))
    this.openCount += 1
  }

  /** Removes a connection that counts towards the limit. Returns false if the connection does not count. */
  private removeOpen(socket: Socket): boolean {
    const network = this.networks.get(socket) as string
    const sockets = this.open.get(network)
    if (!sockets?.delete(socket)) return false
    if (sockets.size === 0) this.open.delete(network)
    this.openCount -= 1
    return true
  }

  private closeOneWaitingForClient(): void {
    let examined = 0
    for (const { sockets, limit } of this.largestFirst()) {
      const found = this.findWaiting(sockets, Math.min(limit, maxExamined - examined))
      examined += found.examined
      if (!found.socket) continue
      this.removeOpen(found.socket)
      found.socket.destroy()
      return
    }
  }

  /**
   * Yields the connections of the largest network first, with a limit on the connections to examine. This network may have no
   * waiting connection, so half of the checks are reserved for all other networks.
   */
  private *largestFirst(): Iterable<{ sockets: Set<Socket>; limit: number }> {
    let largest = new Set<Socket>()
    for (const sockets of this.open.values()) if (sockets.size > largest.size) largest = sockets
    yield { sockets: largest, limit: maxExamined / 2 }
    for (const sockets of this.open.values()) if (sockets !== largest) yield { sockets, limit: maxExamined }
  }

  private findWaiting(sockets: Set<Socket>, limit: number): { socket?: Socket; examined: number } {
    const maximum = Math.min(limit, sockets.size)
    let examined = 0
    for (const socket of sockets) {
      if (examined === maximum) break
      examined += 1
      if (this.isWaitingForClient(socket)) return { socket, examined }
      // Move the socket to the end of the set.
      sockets.delete(socket)
      sockets.add(socket)
    }
    return { examined }
  }

  /** Whether the connection is waiting for the next request, or for the rest of a request */
  private isWaitingForClient(socket: Socket): boolean {
    const response = currentResponse(socket)
    return response ? !response.req.complete : !this.upgraded.has(socket)
  }

  /** Adds a connection to the reserve. If the reserve is full, closes its oldest connection. */
  private addToReserve(socket: Socket): void {
    this.reserved.add(socket)
    const [oldest] = this.reserved
    if (this.reserved.size > reserveSize) oldest?.destroy()
  }

  private remove(socket: Socket): void {
    this.reserved.delete(socket)
    if (!this.removeOpen(socket)) return
    const [next] = this.reserved
    if (!next) return
    this.reserved.delete(next)
    this.admit(next)
  }
}

const reserveSize = 32
/** Maximum number of connections examined per new connection */
const maxExamined = 1_000
