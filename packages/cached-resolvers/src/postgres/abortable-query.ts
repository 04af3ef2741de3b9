import type { Read } from '../loaders/reads.js'
import type { Database, Queryable } from './database.js'
import { StallMeter } from './stall-meter.js'

/** Members of a postgres.js query that its types omit. `active` is true while the server executes the statement. */
interface Statement {
  active: boolean
  cancel(): void
}

/**
 * Runs a read, and cancels its active statements when the signal is aborted. The read is run once more if it failed for one of two
 * reasons that say nothing about the database:
 * - A Postgres cancel request identifies a connection, not a statement, so a late request cancels the next statement on that
 *   connection.
 * - The timeout of a statement includes what the server waits for this process: for the parameters of a statement that is new to
 *   the connection, and until results are read. A process that is stalled for that long exceeds the timeout.
 */
async function readAbortably<T>(
  signal: AbortSignal | undefined,
  database: Queryable,
  read: (database: Queryable) => Promise<T>,
): Promise<T> {
  const stalls = new StallMeter()
  try {
    return await cancelOnAbort(signal, database, read)
  } catch (error) {
    const maySucceed = isCancelled(error) || (isQueryCanceled(error) && stalls.wasMostlyStalled())
    if (signal?.aborted || !maySucceed) throw error
    return await cancelOnAbort(signal, database, read)
  } finally {
    stalls.stop()
  }
}

/** Returns a function that runs reads on the pool, and cancels their statements when the signal is aborted. */
export function createRead(database: Database): Read<Queryable> {
  return (_, read, signal) => readAbortably(signal, database, read)
}

/** Whether a cancel request ended the statement. Also checks the message, because the statement timeout has the same SQLSTATE. */
export function isCancelled(error: unknown): boolean {
  return isQueryCanceled(error) && error.message.includes('user request')
}

/** Whether a cancel request or the statement timeout ended the statement */
function isQueryCanceled(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && error.code === '57014'
}

async function cancelOnAbort<T>(
  signal: AbortSignal | undefined,
  database: Queryable,
  read: (database: Queryable) => Promise<T>,
): Promise<T> {
  if (signal === undefined) return await read(database)
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
