import postgres from 'postgres'
import { dialAnswered } from './answered-socket.js'
import { surviveLostConnections } from './transactions.js'

export type Database = postgres.Sql
/** What a query runs on: the pool, or the transaction that a command opened on it. */
export type Queryable = postgres.ISql

export interface ConnectionOptions {
  url: string
  maxConnections: number
  /** Longest time one SQL statement may take; the server ends it. */
  statementTimeoutMs: number
  connectTimeoutMs: number
  /** A connection that leaves a statement without an answer for that long is ended; must be above the time a statement may take. */
  silenceMs?: number
  /** Whether a commit may be lost with the server, in exchange for not waiting for its disk; what it changed must do no harm if it is. */
  mayLoseCommits?: boolean
  /** Sees the text of every statement that is sent. */
  onStatement?: (text: string) => void
}

/** A lazy pool: nothing connects before the first statement, and a lost connection is opened again by the next. */
export function connect(options: ConnectionOptions): Database {
  const { url, maxConnections, statementTimeoutMs, connectTimeoutMs, silenceMs, mayLoseCommits, onStatement } = options
  const database = postgres(url, {
    max: maxConnections,
    // Of the driver, a plain timer. Connecting itself is bounded by dialAnswered; what is left for this one is a TLS handshake.
    connect_timeout: ((silenceMs === undefined ? 1 : 2) * connectTimeoutMs) / 1000,
    idle_timeout: 60,
    backoff: () => 0.05,
    onnotice: () => {},
    connection: {
      application_name: 'graphql-cached-shop',
      statement_timeout: statementTimeoutMs,
      idle_in_transaction_session_timeout: idleInTransactionMs,
      ...(mayLoseCommits && { synchronous_commit: 'off' }),
    },
    types: { bigint: bigintAsNumber },
    ...(silenceMs !== undefined && { socket: (its: Address) => dialAnswered(toAddress(its), connectTimeoutMs, silenceMs) }),
    ...(onStatement && { debug: (_connection: number, text: string) => onStatement(text) }),
  })
  surviveLostConnections(database)
  return database
}

/** Where postgres.js was told to connect to: the first of the hosts, or a local socket */
interface Address {
  host: readonly string[]
  port: readonly number[]
  path: string | false
}

function toAddress({ host, port, path }: Address) {
  return path ? { path } : { host: host[0] as string, port: port[0] as number }
}

/** A process that was frozen inside a transaction must not hold its locks for ever. */
const idleInTransactionMs = 10_000

/** Ids, counts and cents stay far below 2^53, so a bigint column is read as a plain number. */
const bigintAsNumber = {
  to: 20,
  from: [20],
  serialize: (value: number) => String(value),
  parse: (text: string) => Number(text),
}

/** Whether this error says that the database is away, overloaded or too slow, rather than that the statement is wrong. */
export function isOutage(error: unknown): boolean {
  return error instanceof Error && 'code' in error && outageCodes.has(String(error.code))
}

const outageCodes = new Set([
  ...['ECONNREFUSED', 'ECONNRESET', 'ENOTFOUND', 'EPIPE', 'ETIMEDOUT'],
  ...['CONNECT_TIMEOUT', 'CONNECTION_CLOSED', 'CONNECTION_ENDED', 'CONNECTION_DESTROYED'],
  // Too many connections, statement timeout, shutting down, crashed, starting up
  ...['53300', '57014', '57P01', '57P02', '57P03'],
])
