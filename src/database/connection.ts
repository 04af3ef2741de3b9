import postgres from 'postgres'

export type Database = postgres.Sql
/** What a query runs on: the pool, or the transaction that a command opened on it. */
export type Queryable = postgres.ISql

export interface ConnectionOptions {
  url: string
  maxConnections: number
  /** Longest time one SQL statement may take; the server ends it. */
  statementTimeoutMs: number
  connectTimeoutMs: number
  /** Sees the text of every statement that is sent. */
  onStatement?: (text: string) => void
}

/** A lazy pool: nothing connects before the first statement, and a lost connection is opened again by the next. */
export function connect({ url, maxConnections, statementTimeoutMs, connectTimeoutMs, onStatement }: ConnectionOptions): Database {
  return postgres(url, {
    max: maxConnections,
    connect_timeout: connectTimeoutMs / 1000,
    idle_timeout: 60,
    backoff: () => 0.05,
    onnotice: () => {},
    connection: {
      application_name: 'graphql-cached-shop',
      statement_timeout: statementTimeoutMs,
      idle_in_transaction_session_timeout: idleInTransactionMs,
    },
    types: { bigint: bigintAsNumber },
    ...(onStatement && { debug: (_connection: number, text: string) => onStatement(text) }),
  })
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
