import type { Random } from '../../torture/random.js'
import type { Connection, Server, ServerEnd } from './network.js'
import { ReplyError } from './redis-errors.js'
import { type ScriptName, scripts } from './redis-scripts.js'
import type { Simulation } from './simulation.js'

export type RedisValue = string | Map<string, number>

interface StoredValue {
  value: RedisValue
  /** By the server's clock; null: does not expire */
  expiresAt: number | null
}

/** A command of a client */
export interface RedisRequest {
  name: string
  args: readonly (string | number)[]
}

export type RedisMessage = { kind: 'reply'; reply: unknown } | { kind: 'message'; channel: string; text: string }

export interface RedisServerOptions {
  name: string
  simulation: Simulation
  random: Random
  /** Whether INFO contains run_id; some hosted services omit it */
  reportsRunId: boolean
  /** Called after keys were removed */
  onRemoved: (server: RedisServer, keys: readonly string[]) => void
}

/** One Redis server: strings and hashes with a TTL, publish and subscribe, replication with a lag. */
export class RedisServer implements Server {
  readonly name: string
  role: 'master' | 'replica' = 'master'
  isListening = true
  /** Accepts connections but replies to nothing. */
  isHung = false
  /** Refuses commands that need more memory. */
  isFull = false
  /** Published messages do not arrive. */
  dropsMessages = false
  /** Like min-replicas-to-write: refuses writes without a replica. */
  needsReplica = false
  private runId: string
  /** Changes whenever the server becomes a master */
  private replicationId: string
  private promotions = 0
  private data = new Map<string, StoredValue>()
  private readonly subscribers = new Map<string, Set<Connection>>()
  private readonly clients = new Set<Connection>()
  private waitingCommands: (() => void)[] = []
  private replicas: { server: RedisServer; lagMs: () => number }[] = []
  private startedAt: number
  private incarnation = 0

  constructor(private readonly options: RedisServerOptions) {
    this.name = options.name
    this.runId = `${options.name}-0`
    this.replicationId = `${options.name}-0`
    this.startedAt = options.simulation.now
  }

  get replicaCount(): number {
    return this.replicas.length
  }

  accept(connection: Connection): ServerEnd {
    this.clients.add(connection)
    return {
      received: (request) => this.receive(connection, request as RedisRequest),
      closed: () => {
        this.clients.delete(connection)
        for (const connections of this.subscribers.values()) connections.delete(connection)
      },
    }
  }

  /** A copy of all data, like an RDB snapshot */
  snapshot(): ReadonlyMap<string, StoredValue> {
    return copy(this.data)
  }

  load(data: ReadonlyMap<string, StoredValue>): void {
    this.data = copy(data)
  }

  /** Ends at once and resets the connections of its clients. */
  crash(): void {
    this.isListening = false
    this.isHung = false
    this.isFull = false
    this.dropsMessages = false
    this.waitingCommands = []
    this.resetClients()
  }

  start(data: ReadonlyMap<string, StoredValue>): void {
    if (this.isListening) return
    this.incarnation += 1
    this.runId = `${this.name}-${this.incarnation}`
    this.startedAt = this.options.simulation.now
    this.load(data)
    this.promote()
    this.isListening = true
  }

  resetClients(): void {
    for (const connection of [...this.clients]) connection.reset()
  }

  hang(): void {
    this.isHung = true
  }

  resume(): void {
    this.isHung = false
    for (const execute of this.waitingCommands.splice(0)) execute()
  }

  /** Becomes a replica: loads the data of the master after `afterMs` and then applies its writes with a lag. */
  replicate(master: RedisServer, lagMs: () => number, afterMs = 0): void {
    this.role = 'replica'
    const { promotions } = this
    const link = () => {
      if (this.promotions !== promotions || master.role !== 'master') return
      this.load(master.data)
      this.replicationId = master.replicationId
      master.replicas.push({ server: this, lagMs })
      this.options.simulation.record(this.name, () => `has loaded the data of ${master.name}`)
    }
    if (afterMs === 0) link()
    else this.options.simulation.schedule(afterMs, null, 'io', link)
  }

  /** Breaks the replication link; the other server stays a replica. */
  unlink(replica: RedisServer): void {
    this.replicas = this.replicas.filter(({ server }) => server !== replica)
  }

  promote(): void {
    this.role = 'master'
    this.promotions += 1
    this.replicationId = `${this.name}-${this.promotions}`
  }

  evict(count: number): void {
    for (let left = count; left > 0 && this.data.size > 0; left -= 1) {
      const keys = [...this.data.keys()]
      if (keys.length === 0) return
      const key = this.options.random.pick(keys)
      this.data.delete(key)
      this.options.simulation.record(this.name, () => `evicts ${key}`)
    }
  }

  deleteMembers(): void {
    for (const key of this.data.keys()) if (key.endsWith(':members')) this.data.delete(key)
  }

  get(key: string): RedisValue | null {
    const stored = this.data.get(key)
    if (!stored) return null
    if (stored.expiresAt !== null && stored.expiresAt <= this.options.simulation.now) {
      this.data.delete(key)
      return null
    }
    return stored.value
  }

  getString(key: string): string | null {
    const value = this.get(key)
    if (value === null || typeof value === 'string') return value
    throw new ReplyError('WRONGTYPE Operation against a key holding the wrong kind of value')
  }

  /** `ttlMs` null: no expiry */
  set(key: string, value: RedisValue, ttlMs: number | null): void {
    this.assertCanGrow()
    this.put(key, value, ttlMs)
  }

  increment(key: string): number {
    this.assertCanGrow()
    const number = Number(this.getString(key) ?? 0)
    if (!Number.isInteger(number)) throw new ReplyError('ERR value is not an integer or out of range')
    this.put(key, String(number + 1), this.ttlOf(key))
    return number + 1
  }

  incrementFields(key: string, fields: readonly (readonly [string, number])[]): void {
    this.assertCanGrow()
    const sums = new Map(this.fields(key))
    for (const [name, count] of fields) sums.set(name, (sums.get(name) ?? 0) + count)
    this.put(key, sums, this.ttlOf(key))
  }

  setField(key: string, field: string, value: number): void {
    this.assertCanGrow()
    this.put(key, new Map(this.fields(key)).set(field, value), this.ttlOf(key))
  }

  removeFields(key: string, names: readonly string[]): number {
    this.assertCanWrite()
    const left = new Map(this.fields(key))
    const count = names.filter((name) => left.delete(name)).length
    if (count > 0) this.put(key, left, this.ttlOf(key))
    return count
  }

  expire(key: string, ttlMs: number): void {
    this.assertCanWrite()
    const value = this.get(key)
    if (value !== null) this.put(key, value, ttlMs)
  }

  remove(keys: readonly string[]): number {
    this.assertCanWrite()
    const count = keys.filter((key) => this.data.delete(key)).length
    this.options.onRemoved(this, keys)
    this.options.simulation.record(this.name, () => `removes ${keys.join(' ')}`)
    this.propagate((replica) => {
      for (const key of keys) replica.data.delete(key)
    })
    return count
  }

  publish(channel: string, text: string): number {
    const connections = this.dropsMessages ? [] : [...(this.subscribers.get(channel) ?? [])]
    this.options.simulation.record(this.name, () => `publishes "${text.replaceAll('\n', ' ')}" to ${connections.length}`)
    for (const connection of connections) connection.reply({ kind: 'message', channel, text } satisfies RedisMessage)
    this.propagate((replica) => replica.publish(channel, text))
    return connections.length
  }

  get now(): number {
    return this.options.simulation.now
  }

  private fields(key: string): Map<string, number> | null {
    const stored = this.get(key)
    if (typeof stored === 'string') throw new ReplyError('WRONGTYPE Operation against a key holding the wrong kind of value')
    return stored
  }

  private put(key: string, value: RedisValue, ttlMs: number | null): void {
    this.assertCanWrite()
    const expiresAt = ttlMs === null ? null : this.now + ttlMs
    this.data.set(key, { value, expiresAt })
    this.options.simulation.record(this.name, () => `sets ${key} = ${typeof value === 'string' ? value : '(counts)'}`)
    this.propagate((replica) => replica.data.set(key, { value, expiresAt }))
  }

  private ttlOf(key: string): number | null {
    const expiresAt = this.data.get(key)?.expiresAt ?? null
    return expiresAt === null ? null : expiresAt - this.now
  }

  private assertCanWrite(): void {
    if (this.role === 'replica') throw new ReplyError("READONLY You can't write against a read only replica.")
    if (this.needsReplica && this.replicas.length === 0) throw new ReplyError('NOREPLICAS Not enough good replicas to write.')
  }

  private assertCanGrow(): void {
    this.assertCanWrite()
    if (this.isFull) throw new ReplyError("OOM command not allowed when used memory > 'maxmemory'.")
  }

  private propagate(apply: (replica: RedisServer) => void): void {
    for (const { server, lagMs } of this.replicas) {
      this.options.simulation.schedule(lagMs(), null, 'io', () => {
        if (this.replicas.some((replica) => replica.server === server)) apply(server)
      })
    }
  }

  private receive(connection: Connection, request: RedisRequest): void {
    if (this.isHung) {
      this.waitingCommands.push(() => this.reply(connection, request))
      return
    }
    this.reply(connection, request)
  }

  private reply(connection: Connection, request: RedisRequest): void {
    connection.reply({ kind: 'reply', reply: this.execute(connection, request) } satisfies RedisMessage)
  }

  private execute(connection: Connection, { name, args }: RedisRequest): unknown {
    try {
      const script = scripts[name as ScriptName]
      if (script) return script(this, args)
      const command = commands[name]
      if (!command) throw new ReplyError(`ERR unknown command '${name}' in the simulated Redis`)
      return command(this, args as readonly string[], connection)
    } catch (error) {
      if (error instanceof ReplyError) return error
      throw error
    }
  }

  subscribe(channels: readonly string[], connection: Connection): number {
    for (const channel of channels) this.subscribers.set(channel, (this.subscribers.get(channel) ?? new Set()).add(connection))
    return channels.length
  }

  info(): string {
    const lines = ['# Server', 'redis_version:7.4.0', `uptime_in_seconds:${Math.floor((this.now - this.startedAt) / 1000)}`]
    if (this.options.reportsRunId) lines.push(`run_id:${this.runId}`)
    lines.push('# Memory', 'used_memory:1000000', '# Clients', `connected_clients:${this.clients.size}`)
    lines.push('# Replication', `role:${this.role === 'master' ? 'master' : 'slave'}`, `master_replid:${this.replicationId}`, '')
    return lines.join('\r\n')
  }

  get size(): number {
    for (const key of [...this.data.keys()]) this.get(key)
    return this.data.size
  }

  randomKey(): string | null {
    return this.size === 0 ? null : this.options.random.pick([...this.data.keys()])
  }
}

type Command = (server: RedisServer, args: readonly string[], connection: Connection) => unknown

const commands: Record<string, Command> = {
  hello: () => 'OK',
  ping: () => 'PONG',
  quit: () => 'OK',
  info: (server) => server.info(),
  get: (server, [key = '']) => server.getString(key),
  mget: (server, keys) =>
    keys.map((key) => {
      const value = server.get(key)
      return typeof value === 'string' ? value : null
    }),
  unlink: (server, keys) => server.remove(keys),
  incr: (server, [key = '']) => server.increment(key),
  publish: (server, [channel = '', text = '']) => server.publish(channel, text),
  subscribe: (server, channels, connection) => server.subscribe(channels, connection),
  hgetall: (server, [key = '']) => {
    const value = server.get(key)
    return value instanceof Map ? Object.fromEntries([...value].map(([name, count]) => [name, String(count)])) : {}
  },
  dbsize: (server) => server.size,
  randomkey: (server) => server.randomKey(),
}

function copy(data: ReadonlyMap<string, StoredValue>): Map<string, StoredValue> {
  return new Map([...data].map(([key, stored]) => [key, { ...stored }]))
}
