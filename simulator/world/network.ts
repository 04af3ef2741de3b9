import type { Random } from '../../torture/random.js'
import type { ScheduledEvent, SimulatedProcess, Simulation } from './simulation.js'

/** How long a message takes: mostly near `leastMs`, now and then up to `mostMs`. */
export interface Latency {
  leastMs: number
  mostMs: number
  /** The share of messages that are late */
  lateShare: number
}

/** One direction of a connection: in order, nothing lost, nothing twice. */
class Lane {
  private readonly onTheWay: { at: number; deliver: () => void }[] = []
  private event: ScheduledEvent | undefined
  private lastAt = 0
  private lastSentAt = Number.NEGATIVE_INFINITY
  private stalls = 0
  private isCut = false
  private lateByMs = 0

  constructor(
    private readonly simulation: Simulation,
    private readonly owner: SimulatedProcess | null,
    private readonly latencyMs: () => number,
  ) {}

  send(deliver: () => void): void {
    if (this.isCut) return
    // What is sent at once mostly travels in one segment.
    const { now } = this.simulation
    const latencyMs = this.latencyMs() + this.lateByMs
    if (now !== this.lastSentAt || latencyMs > 2 * leastGapMs) this.lastAt = Math.max(this.lastAt, now + latencyMs)
    this.lastSentAt = now
    this.onTheWay.push({ at: this.lastAt, deliver })
    this.wait()
  }

  /** Nothing arrives until `resume`; then all of it, in order. */
  stall(): void {
    this.stalls += 1
  }

  resume(): void {
    this.stalls -= 1
    this.wait()
  }

  slow(byMs: number): void {
    this.lateByMs = byMs
  }

  cut(): void {
    this.isCut = true
    this.onTheWay.length = 0
  }

  private wait(): void {
    const [first] = this.onTheWay
    if (this.event || !first || this.stalls > 0) return
    this.event = this.simulation.schedule(first.at - this.simulation.now, this.owner, 'io', () => this.deliver())
  }

  /** What has arrived by now is read as one chunk. */
  private deliver(): void {
    this.event = undefined
    if (this.stalls > 0) return
    let count = 0
    while (count < this.onTheWay.length && (this.onTheWay[count] as { at: number }).at <= this.simulation.now) count += 1
    for (const { deliver } of this.onTheWay.splice(0, count)) if (!this.isCut) deliver()
    this.wait()
  }
}

/** A message that is so late was sent in another segment than the one before it. */
const leastGapMs = 1

/** What a server does with its end of a connection. */
export interface ServerEnd {
  received(request: unknown): void
  closed(): void
}

/** What a client does with its end. `chunkEnded` is called after all that came at once. */
export interface ClientEnd {
  received(message: unknown): void
  closed(): void
}

/** A TCP connection from a process to a server. */
export class Connection {
  private readonly toServer: Lane
  private readonly toClient: Lane
  private isOpen = true
  private serverEnd: ServerEnd | undefined

  constructor(
    simulation: Simulation,
    readonly owner: SimulatedProcess,
    readonly name: string,
    private readonly clientEnd: ClientEnd,
    latencyMs: () => number,
    private readonly ended: (connection: Connection) => void,
  ) {
    this.toServer = new Lane(simulation, null, latencyMs)
    this.toClient = new Lane(simulation, owner, latencyMs)
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
    const lanes = direction === 'both' ? [this.toServer, this.toClient] : [this.toClient]
    for (const lane of lanes) lane.stall()
    return () => {
      for (const lane of lanes) lane.resume()
    }
  }

  /** On its way to the client every message takes so much longer. */
  slow(byMs: number): void {
    this.toClient.slow(byMs)
  }

  /** The client says that it sends no more; the server answers with the same. */
  finish(): void {
    this.toServer.send(() => this.closeByServer())
  }

  /** The client's process ended, or gave the socket up: the server hears of it, unless the way there is stalled. */
  abandon(): void {
    this.toClient.cut()
    this.toServer.send(() => this.end())
  }

  /** The server, or something in between, ends it: both hear of it. */
  reset(): void {
    this.closeByServer()
  }

  private closeByServer(): void {
    this.toServer.cut()
    this.end()
    this.toClient.send(() => this.clientEnd.closed())
  }

  private end(): void {
    if (!this.isOpen) return
    this.isOpen = false
    this.ended(this)
    this.serverEnd?.closed()
  }
}

/** Somebody who listens for connections */
export interface Server {
  readonly name: string
  /** false: refused */
  readonly isListening: boolean
  accept(connection: Connection): ServerEnd
}

export type ConnectOutcome = { state: 'connected'; connection: Connection } | { state: 'refused' }

/** All connections, and where addresses lead. */
export class Network {
  readonly connections = new Set<Connection>()
  private readonly routes = new Map<string, (from: SimulatedProcess) => Server>()
  /** Processes that cannot reach an address: nothing comes back from there. */
  private readonly partitions = new Set<string>()
  private opened = 0

  constructor(
    private readonly simulation: Simulation,
    private readonly latency: Latency,
  ) {}

  route(address: string, serverFor: (from: SimulatedProcess) => Server): void {
    this.routes.set(address, serverFor)
  }

  /** `settle` is called in the process that asked; not at all while there is a partition. */
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
      const connection = new Connection(this.simulation, owner, name, client, latencyMs, (its) => this.connections.delete(its))
      this.connections.add(connection)
      connection.accept(server.accept(connection))
      this.simulation.schedule(latencyMs(), owner, 'io', () => settle({ state: 'connected', connection }))
    })
  }

  /** Of a process, or of all, whose purpose begins so */
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

  /** The connections of a process that ended */
  abandonAll(owner: SimulatedProcess): void {
    for (const connection of [...this.connections]) if (connection.owner === owner) connection.abandon()
  }

  private latencyOf(name: string): () => number {
    const random: Random = this.simulation.random(name)
    const { leastMs, mostMs, lateShare } = this.latency
    return () => {
      const isLate = random.chance(lateShare)
      return leastMs + random.next() * (isLate ? mostMs - leastMs : leastMs)
    }
  }
}
