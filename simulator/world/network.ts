import type { Random } from '../../torture/random.js'
import type { ScheduledEvent, SimulatedProcess, Simulation } from './simulation.js'

/** How long a message takes: usually near `minMs`, sometimes up to `maxMs`. */
export interface Latency {
  minMs: number
  maxMs: number
  /** Share of the messages that may take up to `maxMs` */
  slowShare: number
}

/** One direction of a connection. Delivers messages in order, each exactly once. */
class MessageStream {
  private readonly inTransit: { at: number; deliver: () => void }[] = []
  private event: ScheduledEvent | undefined
  private lastAt = 0
  private lastSentAt = Number.NEGATIVE_INFINITY
  private stallCount = 0
  private isCut = false
  private extraDelayMs = 0

  constructor(
    private readonly simulation: Simulation,
    private readonly owner: SimulatedProcess | null,
    private readonly latencyMs: () => number,
  ) {}

  send(deliver: () => void): void {
    if (this.isCut) return
    // Messages sent at the same time usually travel in one segment.
    const { now } = this.simulation
    const latencyMs = this.latencyMs() + this.extraDelayMs
    if (now !== this.lastSentAt || latencyMs > 2 * segmentGapMs) this.lastAt = Math.max(this.lastAt, now + latencyMs)
    this.lastSentAt = now
    this.inTransit.push({ at: this.lastAt, deliver })
    this.scheduleDelivery()
  }

  /** Stops delivery until `resume`, which delivers everything in order. */
  stall(): void {
    this.stallCount += 1
  }

  resume(): void {
    this.stallCount -= 1
    this.scheduleDelivery()
  }

  delay(byMs: number): void {
    this.extraDelayMs = byMs
  }

  cut(): void {
    this.isCut = true
    this.inTransit.length = 0
  }

  private scheduleDelivery(): void {
    const [first] = this.inTransit
    if (this.event || !first || this.stallCount > 0) return
    this.event = this.simulation.schedule(first.at - this.simulation.now, this.owner, 'io', () => this.deliver())
  }

  /** Delivers all messages that have arrived by now, as one chunk. */
  private deliver(): void {
    this.event = undefined
    if (this.stallCount > 0) return
    let count = 0
    while (count < this.inTransit.length && (this.inTransit[count] as { at: number }).at <= this.simulation.now) count += 1
    for (const { deliver } of this.inTransit.splice(0, count)) if (!this.isCut) deliver()
    this.scheduleDelivery()
  }
}

/** A message with at least twice this latency travels in a separate segment. */
const segmentGapMs = 1

/** The server's end of a connection */
export interface ServerEnd {
  received(request: unknown): void
  closed(): void
}

/** The client's end of a connection */
export interface ClientEnd {
  received(message: unknown): void
  closed(): void
}

/** A TCP connection from a process to a server. */
export class Connection {
  private readonly toServer: MessageStream
  private readonly toClient: MessageStream
  private isOpen = true
  private serverEnd: ServerEnd | undefined

  constructor(
    simulation: Simulation,
    readonly owner: SimulatedProcess,
    readonly name: string,
    private readonly clientEnd: ClientEnd,
    latencyMs: () => number,
    private readonly onClosed: (connection: Connection) => void,
  ) {
    this.toServer = new MessageStream(simulation, null, latencyMs)
    this.toClient = new MessageStream(simulation, owner, latencyMs)
  }

  accept(serverEnd: ServerEnd): void {
    this.serverEnd = serverEnd
  }

  request(message: unknown): void {
    this.toServer.send(() => this.serverEnd?.received(message))
  }

  reply(message: unknown): void {
    this.toClient.send(() => this.clientEnd.received(message))
  }

  stall(direction: 'both' | 'to client'): () => void {
    const streams = direction === 'both' ? [this.toServer, this.toClient] : [this.toClient]
    for (const stream of streams) stream.stall()
    return () => {
      for (const stream of streams) stream.resume()
    }
  }

  /** Delays every message to the client. */
  delay(byMs: number): void {
    this.toClient.delay(byMs)
  }

  /** The client closes its side; the server then closes the connection. */
  closeGracefully(): void {
    this.toServer.send(() => this.closeByServer())
  }

  /** The client's process ended or destroyed the socket. The server notices, unless that direction is stalled. */
  destroy(): void {
    this.toClient.cut()
    this.toServer.send(() => this.markClosed())
  }

  /** The server or the network closes the connection; both sides notice. */
  reset(): void {
    this.closeByServer()
  }

  private closeByServer(): void {
    this.toServer.cut()
    this.markClosed()
    this.toClient.send(() => this.clientEnd.closed())
  }

  private markClosed(): void {
    if (!this.isOpen) return
    this.isOpen = false
    this.onClosed(this)
    this.serverEnd?.closed()
  }
}

/** A server that accepts connections */
export interface Server {
  readonly name: string
  /** false: connections are refused */
  readonly isListening: boolean
  accept(connection: Connection): ServerEnd
}

export type ConnectOutcome = { state: 'connected'; connection: Connection } | { state: 'refused' }

/** All connections, and the server to which each address leads. */
export class Network {
  readonly connections = new Set<Connection>()
  private readonly routes = new Map<string, (from: SimulatedProcess) => Server>()
  /** Pairs of process and address between which no message passes */
  private readonly partitions = new Set<string>()
  private opened = 0

  constructor(
    private readonly simulation: Simulation,
    private readonly latency: Latency,
  ) {}

  route(address: string, serverFor: (from: SimulatedProcess) => Server): void {
    this.routes.set(address, serverFor)
  }

  /** Calls `settle` in the connecting process; never during a partition. */
  connect(
    owner: SimulatedProcess,
    address: string,
    purpose: string,
    client: ClientEnd,
    settle: (outcome: ConnectOutcome) => void,
  ): void {
    const serverFor = this.routes.get(address)
    if (!serverFor) throw new Error(`Nothing listens at ${address}`)
    this.opened += 1
    const name = `${owner.name} ${purpose}`
    const latencyMs = this.latencyOf(`${name} ${this.opened}`)
    this.simulation.schedule(latencyMs(), null, 'io', () => {
      if (this.partitions.has(`${owner.name} ${address}`)) return
      const server = serverFor(owner)
      if (!server.isListening) {
        this.simulation.schedule(latencyMs(), owner, 'io', () => settle({ state: 'refused' }))
        return
      }
      const connection = new Connection(this.simulation, owner, name, client, latencyMs, (closed) =>
        this.connections.delete(closed),
      )
      this.connections.add(connection)
      connection.accept(server.accept(connection))
      this.simulation.schedule(latencyMs(), owner, 'io', () => settle({ state: 'connected', connection }))
    })
  }

  /** Connections of one process or of all (null) whose purpose starts with `purpose` */
  find(process: string | null, purpose: string): Connection[] {
    return [...this.connections].filter(
      ({ owner, name }) =>
        owner.state !== 'dead' &&
        (process === null || owner.name === process) &&
        name.slice(owner.name.length + 1).startsWith(purpose),
    )
  }

  partition(process: string, address: string): () => void {
    const name = `${process} ${address}`
    this.partitions.add(name)
    return () => this.partitions.delete(name)
  }

  /** Destroys the connections of a process that ended. */
  destroyAll(owner: SimulatedProcess): void {
    for (const connection of [...this.connections]) if (connection.owner === owner) connection.destroy()
  }

  private latencyOf(name: string): () => number {
    const random: Random = this.simulation.random(name)
    const { minMs, maxMs, slowShare } = this.latency
    return () => {
      const isSlow = random.chance(slowShare)
      return minMs + random.next() * (isSlow ? maxMs - minMs : minMs)
    }
  }
}
