import postgres from 'postgres'
import { sessionSetup } from './session.js'
import { SessionSocket } from './session-socket.js'
import { readTlsPolicy } from './tls.js'
import { surviveLostConnections } from './transactions.js'

export type Database = postgres.Sql
/** The connection pool, or a transaction that a command opened on the pool */
export type Queryable = postgres.ISql

export interface ConnectionOptions {
  url: string
  maxConnections: number
  /** Maximum duration of one SQL statement; the server cancels it. */
  statementTimeoutMs: number
  connectTimeoutMs: number
  /** A connection is closed if a statement has had no response for this long. Must exceed statementTimeoutMs. */
  responseTimeoutMs?: number
  /**
   * Commits without waiting for the server's disk (`synchronous_commit = off`). A server crash may lose these commits, so their
   * loss must be harmless.
   */
  asynchronousCommit?: boolean
  /** Called with the text of every statement sent */
  onStatement?: (text: string) => void
}

/** Returns a lazy pool. It connects with the first statement, and replaces a lost connection with the next statement. */
export function connect(options: ConnectionOptions): Database {
  const {
    url,
    maxConnections,
    statementTimeoutMs,
    connectTimeoutMs,
    responseTimeoutMs,
    asynchronousCommit = false,
    onStatement,
  } = options
  const tls = readTlsPolicy(url)
  const setup = sessionSetup({ statementTimeoutMs, asynchronousCommit })
  const createSocket = (address: Address) => {
    const host = address.host[0] as string
    const to = address.path ? { path: address.path } : { host, port: address.port[0] as number }
    return new SessionSocket({ to, host, tls, setup, connectTimeoutMs, responseTimeoutMs })
  }
  const database = postgres(url, {
    max: maxConnections,
    // SessionSocket enforces the connect timeout and performs TLS.
    connect_timeout: 0,
    ssl: false,
    // This option is missing from the driver's types.
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

/** Address that postgres.js connects to: the first of the hosts, or a local socket */
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

/** Whether an error means that the database is unreachable, overloaded or too slow, rather than that the statement is wrong. */
export function isOutage(error: unknown): boolean {
  if (!(error instanceof Error && 'code' in error)) return false
  const code = String(error.code)
  return outageCodes.has(code) || (code.length === sqlStateLength && outageClasses.has(code.slice(0, 2)))
}

const outageCodes = new Set([
  ...['ECONNREFUSED', 'ECONNRESET', 'ENOTFOUND', 'EPIPE', 'ETIMEDOUT'],
  ...['CONNECT_TIMEOUT', 'CONNECTION_CLOSED', 'CONNECTION_ENDED', 'CONNECTION_DESTROYED'],
  // Statement timeout, shutdown, crash, startup, idle timeout, and read-only (a standby or a temporarily read-only database)
  ...['57014', '57P01', '57P02', '57P03', '57P05', '25006'],
])

/**
 * SQLSTATE classes: connection exception (poolers report all errors of their own in this class), insufficient resources (disk
 * full, too many connections), system error
 */
const outageClasses = new Set(['08', '53', '58'])
const sqlStateLength = 5
