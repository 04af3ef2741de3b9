import { ApiProcess } from './api-process.js'
import { type Fault, type FaultTarget, faultKinds } from './faults.js'
import { useNetwork } from './ioredis.js'
import { isOutage, Judge, type Promises } from './judge.js'
import { type Connection, Network } from './network.js'
import { isOwedInUse } from './outbox.js'
import type { Plan } from './plan.js'
import { PostgresServer, type Session, type Transaction, type Version } from './postgres-server.js'
import { RedisServer } from './redis-server.js'
import { createNamespaces, listKey, listPages, notesOf, productKeys } from './registers.js'
import { activate, SimulatedProcess, Simulation } from './simulation.js'
import { parseSnapshot } from './snapshots.js'
import { troublesOf } from './troubles.js'
import type { Operation } from './workload.js'

/** Servers, processes and the network between them, as a plan says. */
export class World implements FaultTarget {
  readonly simulation: Simulation
  readonly network: Network
  readonly postgres: PostgresServer
  readonly judge: Judge
  private readonly servers: readonly [RedisServer, RedisServer]
  private readonly routes = new Map<number, { server: RedisServer; since: number }>()
  private readonly processes: (ApiProcess | undefined)[] = []
  private readonly incarnations: number[] = []
  private readonly snapshots: { at: number; data: ReturnType<RedisServer['snapshot']> }[] = []
  private notedRows = 0
  private isFailingOver = false

  constructor(
    private readonly plan: Plan,
    promises: Promises,
    isTraced: boolean,
  ) {
    const simulation = new Simulation(plan.seed, isTraced)
    this.simulation = simulation
    activate(simulation)
    this.network = new Network(simulation, plan.latency)
    useNetwork(this.network)
    const createServer = (name: string) =>
      new RedisServer({
        ...{ name, simulation, random: simulation.random(name), tellsRunId: plan.tellsRunId },
        onRemoved: (server, keys) => this.removed(server.name, keys),
      })
    this.servers = [createServer('redis-1'), createServer('redis-2')]
    this.servers[1].replicate(this.servers[0], () => this.replicaLag())
    this.postgres = new PostgresServer({
      simulation,
      notesOf: (changes) => {
        const notes = notesOf(changes, plan.bulk)
        this.notedRows += notes.outbox.length
        return notes
      },
      onCommitted: (versions) => this.judge.committed(versions),
    })
    this.judge = new Judge(simulation, promises, troublesOf(plan), (name) => this.serverOf(name), numberOf)
    this.network.route('postgres', () => this.postgres)
    this.network.route('redis', ({ name }) => (this.routes.get(numberOf(name)) as { server: RedisServer }).server)
    this.routeAll(this.servers[0])
  }

  get processNumbers(): number[] {
    return this.plan.prefixes.map((_, index) => index)
  }

  get redis(): RedisServer {
    return (this.routes.get(0) as { server: RedisServer }).server
  }

  /** The processes that are there now */
  get running(): ApiProcess[] {
    return this.processes.filter((its) => its !== undefined)
  }

  route(process: number, server: RedisServer): void {
    this.routes.set(process, { server, since: this.simulation.now })
    this.simulation.tell('network', () => `the address of Redis leads ${letterOf(process)} to ${server.name}`)
  }

  routeAll(server: RedisServer): void {
    for (const process of this.processNumbers) this.route(process, server)
  }

  failOver(): [before: RedisServer, after: RedisServer] | null {
    const before = this.redis
    const after = this.servers.find((server) => server !== before) as RedisServer
    if (this.isFailingOver || !after.isListening) return null
    this.isFailingOver = true
    before.unlink(after)
    after.promote()
    this.routeAll(after)
    return [before, after]
  }

  failedOver(): void {
    this.isFailingOver = false
  }

  replicaLag(): number {
    return this.plan.replicaLagMs
  }

  connections(process: number | null, purpose: string): Connection[] {
    const name = process === null ? null : this.processes[process]?.process.name
    return name === undefined ? [] : this.network.find(name, purpose)
  }

  partition(process: number | null, address: string): () => void {
    const numbers = process === null ? this.processNumbers : [process]
    const ends = numbers.flatMap((its) => {
      const name = this.processes[its]?.process.name
      if (name === undefined) return []
      return [
        this.network.partition(name, address),
        ...this.connections(its, address).map((connection) => connection.stall('both')),
      ]
    })
    return () => {
      for (const end of ends) end()
    }
  }

  after(ms: number, run: () => void): void {
    this.simulation.schedule(ms, null, 'io', run)
  }

  snapshotBefore(ms: number): ReturnType<RedisServer['snapshot']> {
    const at = this.simulation.now - ms
    return (this.snapshots.findLast((its) => its.at <= at) ?? this.snapshots[0])?.data ?? new Map()
  }

  clockOf(process: number): SimulatedProcess {
    return this.processes[process]?.process ?? new SimulatedProcess('nobody', this.simulation.random('nobody'))
  }

  stop(process: number): (() => void) | undefined {
    const its = this.processes[process]?.process
    if (!its) return undefined
    this.simulation.stop(its)
    return () => this.simulation.resume(its)
  }

  kill(process: number): void {
    const its = this.processes[process]?.process
    if (!its) return
    this.simulation.kill(its)
    this.network.abandonAll(its)
    this.judge.forget(its.name)
    this.processes[process] = undefined
  }

  startProcess(number: number): void {
    if (this.processes[number]) return
    const { plan, simulation } = this
    const incarnation = (this.incarnations[number] ?? 0) + 1
    this.incarnations[number] = incarnation
    const name = `${letterOf(number)}${incarnation === 1 ? '' : incarnation}`
    const owner = new SimulatedProcess(name, simulation.random(name))
    const fetches = simulation.random(`fetches of ${name}`)
    const [before, after] = plan.fetchMs
    simulation.schedule(0, owner, 'io', () => {
      const its = new ApiProcess(owner, this, {
        ...{
          prefix: plan.prefixes[number] as string,
          backend: plan.backend,
          poolSize: plan.poolSize,
          redisConnections: plan.redisConnections,
        },
        namespaces: createNamespaces(plan.times),
        fetchMs: () => [before * fetches.next() ** 3, after * fetches.next() ** 3],
      })
      this.processes[number] = its
      its.start().then(
        () => {
          if (plan.subscribed.includes(number)) void its.subscribe(productKeys(plan.products))
        },
        (error) => this.judge.report('error nobody handled', null, `${name} could not start: ${String(error)}`),
      )
    })
  }

  lockRow(key: string, rollsBack: boolean): () => void {
    const session = this.postgres.localSession('psql (holds)')
    this.postgres.begin(session)
    this.postgres.write(session, [{ key, exists: true }], noop, noop)
    return () => this.postgres.end(session, rollsBack ? 'rolled back' : 'committed')
  }

  /** Runs the plan to its end. */
  async run(): Promise<void> {
    const { plan, simulation } = this
    const registers = [...productKeys(plan.products), listKey]
    this.postgres.seed(registers)
    for (const process of this.processNumbers) this.startProcess(process)
    for (const operation of plan.operations) this.at(operation.at, () => this.begin(operation))
    const undo = new Map<Fault, (() => void) | undefined>()
    for (const fault of plan.faults) {
      this.at(fault.at, () => {
        simulation.tell('fault', () => `begins: ${describe(fault)}`)
        undo.set(fault, faultKinds[fault.kind].begin(this, fault as never))
      })
      this.at(fault.at + fault.forMs, () => {
        simulation.tell('fault', () => `ends: ${fault.kind}`)
        undo.get(fault)?.()
      })
    }
    if (plan.faults.some(({ kind }) => kind === 'redis restarted')) {
      for (let at = 150; at < plan.activeMs; at += 50) this.at(at, () => this.snapshots.push({ at, data: this.redis.snapshot() }))
    }
    await simulation.runUntil(plan.activeMs)
    // Transactions that wait for one another may commit a while later.
    while (this.postgres.isWriting) await simulation.runUntil(simulation.now + 100)
    await simulation.runUntil(simulation.now + settleMs(plan.faults))
    await this.checkQuiet()
  }

  private async checkQuiet(): Promise<void> {
    const { plan, simulation, judge } = this
    judge.quietFrom = simulation.now
    judge.checkEnd()
    const owed = this.postgres.outboxRows(null).filter((row) => isOwedInUse(this.postgres, row, inUseMs))
    if (owed.length > 0) judge.report('outbox not delivered', null, `${owed.length} rows are owed to stores in use`)
    const keys = [...productKeys(plan.products), ...listPages]
    for (const its of this.running) {
      if (!its.isTrusted && plan.tellsRunId)
        judge.report('cache not used in the quiet', null, `${its.process.name} does not trust the store`)
      // Twice: what the first one reads in the store, the second one finds near.
      for (const afterMs of [1, 800]) {
        for (const key of keys) simulation.schedule(afterMs, its.process, 'io', () => void its.read([key]))
      }
    }
    await simulation.runUntil(simulation.now + 2_500)
    judge.checkAnswers()
    this.checkCounters()
  }

  private checkCounters(): void {
    const { plan, judge } = this
    let invalidations = 0
    for (const its of this.running) {
      for (const namespace of Object.values(createNamespaces(plan.times))) {
        const counts = its.counted(namespace)
        const lookups = its.lookups.get(namespace.name) ?? 0
        if (counts.hits + counts.misses !== lookups) {
          const text = `${its.process.name} counted ${counts.hits} hits and ${counts.misses} misses in ${namespace.name}`
          judge.report('counters', null, `${text}, and was asked ${lookups} times`)
        }
        invalidations += counts.invalidations
      }
    }
    // A mutation that goes on for longer than the relay waits for it is delivered twice, and so is one that meets the catch-up of a start.
    const isLong = plan.operations.some(
      (operation) => operation.kind === 'mutate' && (operation.holdMs > 0 || operation.at < startMs),
    )
    const isCalm = plan.profile === 'calm' && plan.faults.length === 0 && plan.subscribed.length === 0 && !isLong
    if (!isCalm || invalidations <= this.notedRows) return
    judge.report('invalidated more than once', null, `${this.notedRows} rows were noted, and ${invalidations} invalidated`)
  }

  private begin(operation: Operation): void {
    if (operation.kind === 'sql') {
      this.changeBySql(operation)
      return
    }
    const its = this.processes[operation.process]
    if (!its?.isReady) return
    this.simulation.schedule(0, its.process, 'io', () => {
      if (operation.kind === 'read') void its.read(operation.keys)
      else void this.mutate(its, operation)
    })
  }

  private async mutate(its: ApiProcess, operation: Extract<Operation, { kind: 'mutate' }>): Promise<void> {
    const { simulation, judge } = this
    const { keys, exists, holdMs, whileDelivering, thenRead } = operation
    let written: ReadonlyMap<string, Version>
    try {
      const onCommitted = () => this.readAfter(its, whileDelivering)
      written = await its.mutate({ changes: keys.map((key) => ({ key, exists })), holdMs, onCommitted })
    } catch (error) {
      simulation.tell(its.process.name, () => `could not change ${keys.join()}: ${String(error)}`)
      if (this.plan.faults.length === 0 && !isOutage(error)) judge.report('error nobody handled', keys[0] ?? null, String(error))
      return
    }
    judge.answered(its.process.name, written)
    simulation.tell(its.process.name, () => `answers: ${[...written].map(([key, version]) => `${key} = ${version}`).join(', ')}`)
    this.readAfter(its, thenRead)
  }

  private readAfter(its: ApiProcess | null, reads: Extract<Operation, { kind: 'mutate' }>['thenRead']): void {
    for (const { afterMs, process, keys } of reads) {
      const reader = this.processes[process]
      if (its && reader === its && afterMs === 0) void its.read(keys)
      else if (reader?.isReady) this.simulation.schedule(afterMs, reader.process, 'io', () => void reader.read(keys))
    }
  }

  private changeBySql({ keys, exists, holdMs, rollsBack, waits, thenRead }: Extract<Operation, { kind: 'sql' }>): void {
    const session: Session = this.postgres.localSession('psql')
    const transaction = this.postgres.begin(session)
    const end = () => {
      this.postgres.end(session, rollsBack ? 'rolled back' : 'committed')
      if (waits && !rollsBack) this.waitForCaches(transaction, () => this.readAfter(null, thenRead))
    }
    const changes = keys.map((key) => ({ key, exists }))
    const written = () => void this.simulation.schedule(holdMs, null, 'io', end)
    this.postgres.write(session, changes, written, () => this.postgres.end(session, 'rolled back'))
  }

  /** As the function cache_wait() of the database: it looks again and again, and gives up after 5 s. */
  private waitForCaches(transaction: Transaction, done: () => void): void {
    const { postgres, simulation, judge } = this
    const isVisible = parseSnapshot(postgres.snapshot()).isVisible
    const givesUpAt = simulation.now + 5_000
    const look = () => {
      const owed = postgres.outboxRows(null).filter((row) => isVisible(row.transaction.xid))
      if (!owed.some((row) => isOwedInUse(postgres, row, inUseMs))) {
        judge.answered('cache_wait()', transaction.versions)
        simulation.tell('psql', () => `cache_wait() is over for ${[...transaction.versions.keys()].join(', ')}`)
        done()
      } else if (simulation.now < givesUpAt) {
        this.after(5, look)
      }
    }
    look()
  }

  private at(time: number, run: () => void): void {
    this.after(time - this.simulation.now, run)
  }

  private serverOf(process: string): { name: string; since: number } | null {
    const route = this.routes.get(numberOf(process))
    return route ? { name: this.storeOf(numberOf(process), route.server.name), since: route.since } : null
  }

  /** As the judge knows it */
  private storeOf(process: number, server: string): string {
    return `${server} ${this.plan.prefixes[process]}`
  }

  /** `prefix:v1:products` is the whole namespace, `prefix:v1:products:product_1` an entry, `prefix:v1:product-lists:all` the list. */
  private removed(server: string, keys: readonly string[]): void {
    for (const key of keys) {
      const [prefix, , namespace, part] = key.split(':')
      const store = `${server} ${prefix}`
      if (namespace === 'products' && part === undefined) {
        for (const register of productKeys(this.plan.products)) this.judge.removed(store, register)
      } else if (namespace === 'products') this.judge.removed(store, part as string)
      else if (namespace === 'product-lists') this.judge.removed(store, listKey)
    }
  }
}

function settleMs(faults: readonly Fault[]): number {
  return Math.max(2_500, ...faults.map(({ kind }) => faultKinds[kind].settleMs))
}

function describe({ at: _, ...fault }: Fault): string {
  return JSON.stringify(fault)
}

function letterOf(process: number): string {
  return String.fromCharCode(65 + process)
}

function numberOf(name: string): number {
  return name.charCodeAt(0) - 65
}

function noop(): void {}

const startMs = 1_000
/** For so long after it was reported in use a store counts as such. */
const inUseMs = 2_000
