import type { Database } from '../../src/platform/database/connection.js'
import { clearTimeout, setTimeout } from './globals.js'
import type { Connection, Network } from './network.js'
import { PostgresError } from './postgres-errors.js'
import type { Change, PostgresMessage, Statement } from './postgres-server.js'
import { type SimulatedProcess, simulation } from './simulation.js'

type Timer = ReturnType<typeof setTimeout>

/** Replaces a connection pool of postgres.js. Statements are functions that the simulated server runs. */
export class SimulatedDatabase {
  private readonly idle: PoolConnection[] = []
  private readonly waiters: ((connection: PoolConnection) => void)[] = []
  private size = 0

  constructor(
    private readonly network: Network,
    private readonly owner: SimulatedProcess,
    private readonly pool: { purpose: string; maxConnections: number },
    /** How long a statement takes, without the network */
    private readonly statementMs: () => number,
  ) {}

  /** This pool with the type of a postgres.js pool. The functions that the engine calls with it are simulated as well. */
  get asDatabase(): Database {
    return this as unknown as Database
  }

  /** Runs one statement on a free connection. */
  async run<T>(statement: Statement): Promise<T> {
    const connection = await this.acquire()
    try {
      return (await connection.send(statement)) as T
    } finally {
      this.release(connection)
    }
  }

  /** Like postgres.js: commits when `work` resolves, rolls back when it rejects. */
  async begin<T>(work: (transaction: SimulatedTransaction) => Promise<T>): Promise<T> {
    const connection = await this.acquire()
    try {
      await connection.send((server, session, reply) => reply(void server.begin(session)))
      let result: T
      try {
        result = await work(transactionOn(connection))
      } catch (error) {
        if (!connection.isLost)
          await connection.send((server, session, reply) => reply(void server.end(session, 'rolled back'))).catch(() => undefined)
        throw error
      }
      await connection.send((server, session, reply) => reply(void server.end(session, 'committed')))
      return result
    } finally {
      this.release(connection)
    }
  }

  /** Listens on a separate connection, which is reopened when it is lost. Calls `listening` each time LISTEN has succeeded. */
  async listen(channel: string, notified: () => void, listening: () => void): Promise<{ unlisten: () => Promise<void> }> {
    let isStopped = false
    const open = async (): Promise<void> => {
      const connection = new PoolConnection(this.network, this.owner, 'postgres listener', this.statementMs)
      connection.onNotification = (name) => {
        if (name === channel) notified()
      }
      connection.onLost = () => {
        if (!isStopped) void reopen()
      }
      await connection.send((_, session, reply) => {
        session.listening.add(channel)
        reply(undefined)
      })
      listening()
    }
    const reopen = async (): Promise<void> => {
      await new Promise<void>((resolve) => void setTimeout(() => resolve(), reconnectMs))
      // A failed attempt loses its connection, which calls this function again.
      await open().catch(() => undefined)
    }
    await open()
    return {
      unlisten: async () => {
        isStopped = true
      },
    }
  }

  private async acquire(): Promise<PoolConnection> {
    const connection = this.idle.pop()
    if (connection) return connection
    if (this.size < this.pool.maxConnections) {
      this.size += 1
      return this.create()
    }
    return new Promise((resolve) => this.waiters.push(resolve))
  }

  private release(connection: PoolConnection): void {
    const usable = connection.isLost ? this.create() : connection
    const next = this.waiters.shift()
    if (next) next(usable)
    else this.idle.push(usable)
  }

  private create(): PoolConnection {
    const connection = new PoolConnection(this.network, this.owner, this.pool.purpose, this.statementMs)
    connection.onLost = () => {
      const index = this.idle.indexOf(connection)
      if (index >= 0) this.idle[index] = this.create()
    }
    return connection
  }
}

/**
 * What a command gets in place of a postgres.js transaction: a tagged template that supports the one setting that commands make,
 * and writes.
 */
export interface SimulatedTransaction {
  (strings: TemplateStringsArray, ...values: unknown[]): Promise<unknown>
  /** Writes rows in one statement. */
  write(changes: readonly Change[]): Promise<void>
  run<T>(statement: Statement): Promise<T>
}

function transactionOn(connection: PoolConnection): SimulatedTransaction {
  const set = (strings: TemplateStringsArray, ...values: unknown[]): Promise<unknown> => {
    const delay = /^(\d+) milliseconds$/.exec(String(values[0]))?.[1]
    if (!strings.join('').includes("set_config('cache.relay_delay'") || delay === undefined)
      throw new Error(`The simulated Postgres does not support this statement: ${strings.join('?')}`)
    return connection.send((_, session, reply) => {
      if (session.transaction) session.transaction.relayDelayMs = Number(delay)
      reply(undefined)
    })
  }
  return Object.assign(set, {
    write: async (changes: readonly Change[]) => {
      await connection.send((server, session, reply, fail) => server.write(session, changes, () => reply(undefined), fail))
    },
    run: <T>(statement: Statement) => connection.send(statement) as Promise<T>,
  })
}

class PoolConnection {
  isLost = false
  onLost: () => void = () => undefined
  onNotification: (channel: string) => void = () => undefined
  private connection: Promise<Connection> | undefined
  private pending: { resolve: (result: unknown) => void; reject: (error: Error) => void }[] = []
  private silenceTimer: Timer | undefined

  constructor(
    private readonly network: Network,
    private readonly owner: SimulatedProcess,
    private readonly purpose: string,
    private readonly statementMs: () => number,
  ) {}

  async send(statement: Statement): Promise<unknown> {
    this.connection ??= this.open()
    const connection = await this.connection
    if (this.isLost) throw new PostgresError('CONNECTION_CLOSED', 'write CONNECTION_CLOSED')
    return new Promise((resolve, reject) => {
      this.pending.push({ resolve, reject })
      const durationMs = this.statementMs()
      const run: Statement = (server, session, reply, fail) => {
        simulation().schedule(durationMs, null, 'io', () => {
          if (session.isOpen) statement(server, session, reply, fail)
        })
      }
      connection.request(run)
      this.silenceTimer ??= setTimeout(() => this.lose(connection), silenceMs)
    })
  }

  private open(): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const lose = (code: string) => {
        this.lose(undefined)
        reject(new PostgresError(code, code))
      }
      const timeout = setTimeout(() => lose('CONNECT_TIMEOUT'), connectTimeoutMs)
      let opened: Connection | undefined
      const client = {
        received: (message: unknown) => this.receive(message as PostgresMessage),
        closed: () => this.lose(opened),
      }
      this.network.connect(this.owner, 'postgres', this.purpose, client, (outcome) => {
        clearTimeout(timeout)
        if (outcome.state === 'refused') return lose('ECONNREFUSED')
        opened = outcome.connection
        if (this.isLost) opened.destroy()
        resolve(opened)
      })
    })
  }

  private receive(message: PostgresMessage): void {
    if (this.isLost) return
    if (message.kind === 'notification') {
      this.onNotification(message.channel)
      return
    }
    clearTimeout(this.silenceTimer)
    this.silenceTimer = undefined
    const statement = this.pending.shift()
    if (message.kind === 'error') statement?.reject(message.error)
    else statement?.resolve(message.result)
  }

  private lose(connection: Connection | undefined): void {
    if (this.isLost) return
    this.isLost = true
    clearTimeout(this.silenceTimer)
    connection?.destroy()
    for (const { reject } of this.pending.splice(0)) reject(new PostgresError('CONNECTION_CLOSED', 'read CONNECTION_CLOSED'))
    this.onLost()
  }
}

const reconnectMs = 50
const connectTimeoutMs = 5_000
/** The statement timeout, and the time in which the server reports it */
const silenceMs = 6_000
