import type { Read } from '../loaders/reads.js'
import type { Database, Queryable } from './database.js'

/** Members of a postgres.js query that its types omit. `active` is true while the server executes the statement. */
interface Statement {
  active: boolean
  cancel(): void
}

/**
 * Runs a read, and cancels its active statements when the signal is aborted. A Postgres cancel request identifies a connection,
 * not a statement, so a late request cancels the next statement on that connection. If a statement was cancelled although its
 * signal is not aborted, the read is therefore run once more.
 */
async function readAbortably<T>(database: Queryable, signal: AbortSignal, read: (database: Queryable) => Promise<T>): Promise<T> {
  try {
    return await cancelOnAbort(signal, database, read)
  } catch (error) {
    if (signal.aborted || !isCancelled(error)) throw error
    return await cancelOnAbort(signal, database, read)
  }
}

/** Returns a function that runs reads on the pool, and cancels their statements when the signal is aborted. */
export function createRead(database: Database): Read<Queryable> {
  return (_, read, signal) => (signal ? readAbortably(database, signal, read) : read(database))
}

/** Whether a cancel request ended the statement. Also checks the message, because statement_timeout has the same SQLSTATE. */
export function isCancelled(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === '57014' && error.message.includes('user request')
}

async function cancelOnAbort<T>(signal: AbortSignal, database: Queryable, read: (database: Queryable) => Promise<T>): Promise<T> {
  const statements: Statement[] = []
  let timer: NodeJS.Timeout | undefined
  // Cancels active statements only. A statement may still be queued, for a connection or behind other statements on a connection.
  // Cancelling such a statement makes postgres.js lose the connection or assign replies to the wrong statements. The timer
  // cancels statements that become active later.
  const cancelActive = () => {
    for (const statement of statements) if (statement.active) statement.cancel()
    timer = setTimeout(cancelActive, cancelIntervalMs)
  }
  signal.addEventListener('abort', cancelActive)
  try {
    return await read(recordStatements(database, statements))
  } finally {
    signal.removeEventListener('abort', cancelActive)
    clearTimeout(timer)
  }
}

function recordStatements(database: Queryable, statements: Statement[]): Queryable {
  return new Proxy(database, {
    apply(target, _, args) {
      const statement: unknown = Reflect.apply(target as never, undefined, args)
      if (statement instanceof Promise) statements.push(statement as Promise<unknown> & Statement)
      return statement
    },
  })
}

const cancelIntervalMs = 50
