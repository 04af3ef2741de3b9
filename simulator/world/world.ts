import { ApiProcess } from './api-process.js'
import { faultPeriodsOf } from './fault-periods.js'
import { type Fault, type FaultTarget, faultKinds } from './faults.js'
import { useNetwork } from './ioredis.js'
import { type Guarantees, isOutage, Judge } from './judge.js'
import { type Connection, Network } from './network.js'
import { isPendingInUse } from './outbox.js'
import type { Plan } from './plan.js'
import { PostgresServer, type Session, type Transaction, type Version } from './postgres-server.js'
import { RedisServer } from './redis-server.js'
import { changeRecordsOf, createNamespaces, listKey, listPages, productKeys } from './registers.js'
import { activate, SimulatedProcess, Simulation } from './simulation.js'
import { parseSnapshot } from './snapshots.js'
import type { Operation } from './workload.js'

/** The servers, the processes and the network between them, run according to a plan. */
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
  private recordedRows = 0
  private isFailingOver = false

  constructor(
    private readonly plan: Plan,
    guarantees: Guarantees,
    isTraced: boolean,
  ) {
    const simulation = new Simulation(plan.seed, isTraced)
    this.simulation = simulation
    activate(simulation)
    this.network = new Network(simulation, plan.latency)
    useNetwork(this.network)
    const createServer = (name: string) =>
      new RedisServer({
        ...{ name, simulation, random: simulation.random(name), reportsRunId: plan.reportsRunId },
        onRemoved: (server, keys) => this.removed(server.name, keys),
      })
    this.servers = [createServer('redis-1'), createServer('redis-2')]
    this.servers[1].replicate(this.servers[0], () => this.replicaLag())
    this.postgres = new PostgresServer({
      simulation,
      changeRecordsOf: (changes) => {
        const notes = changeRecordsOf(changes, plan.bulkThreshold)
        this.recordedRows += notes.outbox.length
        return notes
      },
      onCommitted: (versions) => this.judge.committed(versions),
    })
    this.judge = new Judge(simulation, guarantees, faultPeriodsOf(plan), (name) => this.serverOf(name), processNumber)
    this.network.route('postgres', () => this.postgres)
    this.network.route('redis', ({ name }) => (this.routes.get(processNumber(name)) as { server: RedisServer }).server)
    this.routeAll(this.servers[0])
  }

  get processNumbers(): number[] {
    return this.plan.prefixes.map((_, index) => index)
  }

  get redis(): RedisServer {
    return (this.routes.get(0) as { server: RedisServer }).server
  }

  /** The processes that exist now */
  get running(): ApiProcess[] {
    return this.processes.filter((api) => api !== undefined)
  }

  route(process: number, server: RedisServer): void {
    this.routes.set(process, { server, since: this.simulation.now })
    this.simulation.record('network', () => `the address of Redis leads ${processName(process)} to ${server.name}`)
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

  endFailover(): void {
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
    const ends = numbers.flatMap((number) => {
      const name = this.processes[number]?.process.name
      if (name === undefined) return []
      return [
        this.network.partition(name, address),
        ...this.connections(number, address).map((connection) => connection.stall('both')),
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
    return (this.snapshots.findLast((snapshot) => snapshot.at <= at) ?? this.snapshots[0])?.data ?? new Map()
  }

  clockOf(process: number): SimulatedProcess {
    return this.processes[process]?.process ?? new SimulatedProcess('none', this.simulation.random('none'))
  }

  stop(process: number): (() => void) | undefined {
    const simulated = this.processes[process]?.process
    if (!simulated) return undefined
    this.simulation.stop(simulated)
    return () => this.simulation.resume(simulated)
  }

  kill(process: number): void {
    const simulated = this.processes[process]?.process
    if (!simulated) return
    this.simulation.kill(simulated)
    this.network.destroyAll(simulated)
    this.judge.processEnded(simulated.name)
    this.processes[process] = undefined
  }

  startProcess(number: number): void {
    if (this.processes[number]) return
    const { plan, simulation } = this
    const incarnation = (this.incarnations[number] ?? 0) + 1
    this.incarnations[number] = incarnation
    const name = `${processName(number)}${incarnation === 1 ? '' : incarnation}`
    const owner = new SimulatedProcess(name, simulation.random(name))
    const fetches = simulation.random(`fetches of ${name}`)
    const [before, after] = plan.fetchMs
    simulation.schedule(0, owner, 'io', () => {
      const api = new ApiProcess(owner, this, {
        ...{
          prefix: plan.prefixes[number] as string,
          backend: plan.backend,
          poolSize: plan.poolSize,
          redisConnections: plan.redisConnections,
        },
        namespaces: createNamespaces(plan.times),
        fetchMs: () => [before * fetches.next() ** 3, after * fetches.next() ** 3],
      })
      this.processes[number] = api
      api.start().then(
        () => {
          if (plan.subscribedProcesses.includes(number)) void api.subscribe(productKeys(plan.products))
        },
        (error) => this.judge.report('unhandled error', null, `${name} failed to start: ${String(error)}`),
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
        simulation.record('fault', () => `begins: ${describe(fault)}`)
        undo.set(fault, faultKinds[fault.kind].begin(this, fault as never))
      })
      this.at(fault.at + fault.forMs, () => {
        simulation.record('fault', () => `ends: ${fault.kind}`)
        undo.get(fault)?.()
      })
    }
    if (plan.faults.some(({ kind }) => kind === 'redis restarted')) {
      for (let at = 150; at < plan.activeMs; at += 50) this.at(at, () => this.snapshots.push({ at, data: this.redis.snapshot() }))
    }
    await simulation.runUntil(plan.activeMs)
    // Transactions that wait for locks may commit later.
    while (this.postgres.isWriting) await simulation.runUntil(simulation.now + 100)
    await simulation.runUntil(simulation.now + settleMs(plan.faults))
    await this.checkQuiet()
  }

  private async checkQuiet(): Promise<void> {
    const { plan, simulation, judge } = this
    judge.quietFrom = simulation.now
    judge.checkEnd()
    const pending = this.postgres.outboxRows(null).filter((row) => isPendingInUse(this.postgres, row, inUseMs))
    if (pending.length > 0)
      judge.report('outbox not delivered', null, `${pending.length} rows are not delivered to all stores in use`)
    const keys = [...productKeys(plan.products), ...listPages]
    for (const api of this.running) {
      if (!api.isTrusted && plan.reportsRunId)
        judge.report('cache not used in the quiet period', null, `${api.process.name} does not trust the store`)
      // Twice: the first pass reads from the far store, the second finds the entries in the near store.
      for (const afterMs of [1, 800]) {
        for (const key of keys) simulation.schedule(afterMs, api.process, 'io', () => void api.read([key]))
      }
    }
    await simulation.runUntil(simulation.now + 2_500)
    judge.checkAnswers()
    this.checkCounters()
  }

  private checkCounters(): void {
    const { plan, judge } = this
    let invalidations = 0
    for (const api of this.running) {
      for (const namespace of Object.values(createNamespaces(plan.times))) {
        const counts = api.ownCounts(namespace)
        const lookups = api.lookups.get(namespace.name) ?? 0
        if (counts.hits + counts.misses !== lookups) {
          const text = `${api.process.name} counted ${counts.hits} hits and ${counts.misses} misses in ${namespace.name}`
          judge.report('counters', null, `${text}, but made ${lookups} lookups`)
        }
        invalidations += counts.invalidations
      }
    }
    // A mutation is delivered twice if it takes longer than the relay waits for it, or if it overlaps with the catch-up of a
    // start.
    const isLong = plan.operations.some(
      (operation) => operation.kind === 'mutate' && (operation.holdMs > 0 || operation.at < startMs),
    )
    const isCalm = plan.profile === 'calm' && plan.faults.length === 0 && plan.subscribedProcesses.length === 0 && !isLong
    if (!isCalm || invalidations <= this.recordedRows) return
    judge.report(
      'invalidated more than once',
      null,
      `${this.recordedRows} outbox rows were written, but ${invalidations} invalidations were counted`,
    )
  }

  private begin(operation: Operation): void {
    if (operation.kind === 'sql') {
      this.changeBySql(operation)
      return
    }
    const api = this.processes[operation.process]
    if (!api?.isReady) return
    this.simulation.schedule(0, api.process, 'io', () => {
      if (operation.kind === 'read') void api.read(operation.keys)
      else void this.mutate(api, operation)
    })
  }

  private async mutate(api: ApiProcess, operation: Extract<Operation, { kind: 'mutate' }>): Promise<void> {
    const { simulation, judge } = this
    const { keys, exists, holdMs, readsDuringDelivery, readsAfter } = operation
    let written: ReadonlyMap<string, Version>
    try {
      const onCommitted = () => this.readAfter(api, readsDuringDelivery)
      written = await api.mutate({ changes: keys.map((key) => ({ key, exists })), holdMs, onCommitted })
    } catch (error) {
      simulation.record(api.process.name, () => `could not change ${keys.join()}: ${String(error)}`)
      if (this.plan.faults.length === 0 && !isOutage(error)) judge.report('unhandled error', keys[0] ?? null, String(error))
      return
    }
    judge.answered(api.process.name, written)
    simulation.record(
      api.process.name,
      () => `answers: ${[...written].map(([key, version]) => `${key} = ${version}`).join(', ')}`,
    )
    this.readAfter(api, readsAfter)
  }

  private readAfter(api: ApiProcess | null, reads: Extract<Operation, { kind: 'mutate' }>['readsAfter']): void {
    for (const { afterMs, process, keys } of reads) {
      const reader = this.processes[process]
      if (api && reader === api && afterMs === 0) void api.read(keys)
      else if (reader?.isReady) this.simulation.schedule(afterMs, reader.process, 'io', () => void reader.read(keys))
    }
  }

  private changeBySql({ keys, exists, holdMs, rollsBack, waits, readsAfter }: Extract<Operation, { kind: 'sql' }>): void {
    const session: Session = this.postgres.localSession('psql')
    const transaction = this.postgres.begin(session)
    const end = () => {
      this.postgres.end(session, rollsBack ? 'rolled back' : 'committed')
      if (waits && !rollsBack) this.waitForCaches(transaction, () => this.readAfter(null, readsAfter))
    }
    const changes = keys.map((key) => ({ key, exists }))
    const written = () => void this.simulation.schedule(holdMs, null, 'io', end)
    this.postgres.write(session, changes, written, () => this.postgres.end(session, 'rolled back'))
  }

  /** Like the database function cache_wait(): polls until the transaction is delivered, and stops after 5 s. */
  private waitForCaches(transaction: Transaction, done: () => void): void {
    const { postgres, simulation, judge } = this
    const isVisible = parseSnapshot(postgres.snapshot()).isVisible
    const timeoutAt = simulation.now + 5_000
    const check = () => {
      const pending = postgres.outboxRows(null).filter((row) => isVisible(row.transaction.xid))
      if (!pending.some((row) => isPendingInUse(postgres, row, inUseMs))) {
        judge.answered('cache_wait()', transaction.versions)
        simulation.record('psql', () => `cache_wait() returned for ${[...transaction.versions.keys()].join(', ')}`)
        done()
      } else if (simulation.now < timeoutAt) {
        this.after(5, check)
      }
    }
    check()
  }

  private at(time: number, run: () => void): void {
    this.after(time - this.simulation.now, run)
  }

  private serverOf(process: string): { name: string; since: number } | null {
    const route = this.routes.get(processNumber(process))
    return route ? { name: this.storeOf(processNumber(process), route.server.name), since: route.since } : null
  }

  /** The name of a store for the judge */
  private storeOf(process: number, server: string): string {
    return `${server} ${this.plan.prefixes[process]}`
  }

  /**
   * Keys: `prefix:v1:products` is the whole namespace, `prefix:v1:products:product_1` an entry, `prefix:v1:product-lists:all` the
   * list.
   */
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

function processName(process: number): string {
  return String.fromCharCode(65 + process)
}

function processNumber(name: string): number {
  return name.charCodeAt(0) - 65
}

function noop(): void {}

const startMs = 1_000
/** How long a store counts as in use after it was reported in use */
const inUseMs = 2_000
