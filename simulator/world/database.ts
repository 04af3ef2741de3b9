import type { Database } from '../../src/platform/database/connection.js'
import { clearTimeout, setTimeout } from './globals.js'
import type { Connection, Network } from './network.js'
import { PostgresError } from './postgres-errors.js'
import type { Change, PostgresMessage, Statement } from './postgres-server.js'
import { type SimulatedProcess, simulation } from './simulation.js'

type Timer = ReturnType<typeof setTimeout>

/** In the place of a pool of postgres.js: statements are functions that the simulated server runs. */
export class SimulatedDatabase {
  private readonly idle: PoolConnection[] = []
  private readonly waiting: ((connection: PoolConnection) => void)[] = []
  private size = 0

  constructor(
    private readonly network: Network,
    private readonly owner: SimulatedProcess,
    private readonly pool: { purpose: string; maxConnections: number },
    /** How long a statement takes beside its way */
    private readonly statementMs: () => number,
  ) {}

  /** What the engine takes for a pool of postgres.js; the functions that use it are simulated as well. */
  get asDatabase(): Database {
    return this as unknown as Database
  }

  /** One statement, on whatever connection is free */
  async run<T>(statement: Statement): Promise<T> {
    const connection = await this.acquire()
    try {
      return (await connection.send(statement)) as T
    } finally {
      this.release(connection)
    }
  }

  /** As postgres.js: commits when the work succeeds, rolls back when it throws. */
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

  /** On a connection of its own, made anew whenever it is lost; `listening` is called each time that it listens. */
  async listen(channel: string, notified: () => void, listening: () => void): Promise<{ unlisten: () => Promise<void> }> {
    let isOver = false
    const open = async (): Promise<void> => {
      const connection = new PoolConnection(this.network, this.owner, 'postgres listener', this.statementMs)
      connection.onNotification = (its) => {
        if (its === channel) notified()
      }
      connection.onLost = () => {
        if (!isOver) void openAgain()
      }
      await connection.send((_, session, reply) => {
        session.listening.add(channel)
        reply(undefined)
      })
      listening()
    }
    const openAgain = async (): Promise<void> => {
      await new Promise<void>((resolve) => void setTimeout(() => resolve(), reconnectMs))
      // What fails is lost, and comes here again.
      await open().catch(() => undefined)
    }
    await open()
    return {
      unlisten: async () => {
        isOver = true
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
    return new Promise((resolve) => this.waiting.push(resolve))
  }

  private release(connection: PoolConnection): void {
    const its = connection.isLost ? this.create() : connection
    const next = this.waiting.shift()
    if (next) next(its)
    else this.idle.push(its)
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

/** What a command gets: a tagged template for the one setting that commands make, and writes. */
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
      throw new Error(`The simulated Postgres does not know this statement: ${strings.join('?')}`)
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
  private waiting: { resolve: (result: unknown) => void; reject: (error: Error) => void }[] = []
  private silence: Timer | undefined

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
      this.waiting.push({ resolve, reject })
      const takesMs = this.statementMs()
      const run: Statement = (server, session, reply, fail) => {
        simulation().schedule(takesMs, null, 'io', () => {
          if (session.isOpen) statement(server, session, reply, fail)
        })
      }
      connection.request(run)
      this.silence ??= setTimeout(() => this.lose(connection), silenceMs)
    })
  }

  private open(): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const lose = (code: string) => {
        this.lose(undefined)
        reject(new PostgresError(code, code))
      }
      const late = setTimeout(() => lose('CONNECT_TIMEOUT'), connectTimeoutMs)
      let opened: Connection | undefined
      const client = {
        received: (message: unknown) => this.receive(message as PostgresMessage),
        closed: () => this.lose(opened),
      }
      this.network.connect(this.owner, 'postgres', this.purpose, client, (outcome) => {
        clearTimeout(late)
        if (outcome.state === 'refused') return lose('ECONNREFUSED')
        opened = outcome.connection
        if (this.isLost) opened.abandon()
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
    clearTimeout(this.silence)
    this.silence = undefined
    const waiting = this.waiting.shift()
    if (message.kind === 'error') waiting?.reject(message.error)
    else waiting?.resolve(message.result)
  }

  private lose(connection: Connection | undefined): void {
    if (this.isLost) return
    this.isLost = true
    clearTimeout(this.silence)
    connection?.abandon()
    for (const { reject } of this.waiting.splice(0)) reject(new PostgresError('CONNECTION_CLOSED', 'read CONNECTION_CLOSED'))
    this.onLost()
  }
}

const reconnectMs = 50
const connectTimeoutMs = 5_000
/** As long as a statement may take, and what the server may need to say so */
const silenceMs = 6_000
