import postgres from 'postgres'
import { sessionSetup } from './session.js'
import { SessionSocket } from './session-socket.js'
import { readTlsPolicy } from './tls.js'
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
  const { url, maxConnections, statementTimeoutMs, connectTimeoutMs, silenceMs, mayLoseCommits = false, onStatement } = options
  const tls = readTlsPolicy(url)
  const setup = sessionSetup({ statementTimeoutMs, mayLoseCommits })
  const createSocket = (address: Address) => {
    const host = address.host[0] as string
    const to = address.path ? { path: address.path } : { host, port: address.port[0] as number }
    return new SessionSocket({ to, host, tls, setup, connectTimeoutMs, silenceMs })
  }
  const database = postgres(url, {
    max: maxConnections,
    // The socket bounds connecting and makes TLS.
    connect_timeout: 0,
    ssl: false,
    // Which the driver's types leave out
    ...{ socket: createSocket },
    idle_timeout: 60,
    backoff: () => 0.05,
    onnotice: () => {},
    connection: { application_name: 'graphql-cached-shop' },
    types: { bigint: bigintAsNumber },
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

/** Ids, counts and cents stay far below 2^53, so a bigint column is read as a plain number. */
const bigintAsNumber = {
  to: 20,
  from: [20],
  serialize: (value: number) => String(value),
  parse: (text: string) => Number(text),
}

/** Whether this error says that the database is away, overloaded or too slow, rather than that the statement is wrong. */
export function isOutage(error: unknown): boolean {
  if (!(error instanceof Error && 'code' in error)) return false
  const code = String(error.code)
  return outageCodes.has(code) || (code.length === sqlStateLength && outageClasses.has(code.slice(0, 2)))
}

const outageCodes = new Set([
  ...['ECONNREFUSED', 'ECONNRESET', 'ENOTFOUND', 'EPIPE', 'ETIMEDOUT'],
  ...['CONNECT_TIMEOUT', 'CONNECTION_CLOSED', 'CONNECTION_ENDED', 'CONNECTION_DESTROYED'],
  // Statement timeout, shutting down, crashed, starting up, idle for too long, a standby or a database that is read only for now
  ...['57014', '57P01', '57P02', '57P03', '57P05', '25006'],
])

/** Connection (a pooler reports all its own faults so), lack of resources (a full disk, too many connections), operating system */
const outageClasses = new Set(['08', '53', '58'])
const sqlStateLength = 5
