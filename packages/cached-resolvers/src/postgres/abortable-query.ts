import type { Read } from '../loaders/reads.js'
import type { Database, Queryable } from './database.js'

/** Members that the types of postgres.js omit. `active`: the server is executing this statement now. */
interface Statement {
  active: boolean
  cancel(): void
}

/**
 * Runs a read and cancels its active statements when the signal is aborted. A cancel request of Postgres names a connection, not
 * a statement: one that arrives late cancels the next statement on that connection. A read cancelled by mistake is therefore
 * retried once.
 */
async function readAbortably<T>(database: Queryable, signal: AbortSignal, read: (database: Queryable) => Promise<T>): Promise<T> {
  try {
    return await cancelOnAbort(signal, database, read)
  } catch (error) {
    if (signal.aborted || !isCancelled(error)) throw error
    return await cancelOnAbort(signal, database, read)
  }
}

/** Returns a Read that runs on the pool and cancels the statements when the signal is aborted. */
export function createRead(database: Database): Read<Queryable> {
  return (_, read, signal) => (signal ? readAbortably(database, signal, read) : read(database))
}

/** Whether the statement was ended by a cancel request, not by statement_timeout (same SQLSTATE). */
export function isCancelled(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === '57014' && error.message.includes('user request')
}

async function cancelOnAbort<T>(signal: AbortSignal, database: Queryable, read: (database: Queryable) => Promise<T>): Promise<T> {
  const statements: Statement[] = []
  let timer: NodeJS.Timeout | undefined
  // Only active statements: cancelling one that waits for a connection, or behind others on one, would make postgres.js lose that
  // connection or mix up the order of its replies. Statements that become active later are cancelled by the timer.
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
