import type { Read } from '../loaders/reads.js'
import type { Database, Queryable } from './database.js'

/** What the types of postgres.js leave out: whether the server is working on this statement now. */
interface Statement {
  active: boolean
  cancel(): void
}

/**
 * Reads from the database for somebody who may give up: when the signal is aborted, the statements that are running then are cancelled.
 * A cancellation names a connection and no statement. So one that comes late hits whatever runs there next; that is read once more.
 */
async function readCancellably<T>(
  database: Queryable,
  signal: AbortSignal,
  read: (database: Queryable) => Promise<T>,
): Promise<T> {
  try {
    return await cancellingOn(signal, database, read)
  } catch (error) {
    if (signal.aborted || !isCancelled(error)) throw error
    return await cancellingOn(signal, database, read)
  }
}

/** Reads on the pool, each until whoever waits for it gives up. */
export function createRead(database: Database): Read<Queryable> {
  return (_, read, signal) => (signal ? readCancellably(database, signal, read) : read(database))
}

/** Whether a cancellation that somebody asked for ended the statement, and not the time that it took. */
export function isCancelled(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === '57014' && error.message.includes('user request')
}

async function cancellingOn<T>(signal: AbortSignal, database: Queryable, read: (database: Queryable) => Promise<T>): Promise<T> {
  const statements: Statement[] = []
  let timer: NodeJS.Timeout | undefined
  // postgres.js loses the connection that a statement is still waiting for, and the order of the answers where it waits for others on it.
  const cancelActive = () => {
    for (const statement of statements) if (statement.active) statement.cancel()
    timer = setTimeout(cancelActive, lookAgainMs)
  }
  signal.addEventListener('abort', cancelActive)
  try {
    return await read(recording(database, statements))
  } finally {
    signal.removeEventListener('abort', cancelActive)
    clearTimeout(timer)
  }
}

function recording(database: Queryable, statements: Statement[]): Queryable {
  return new Proxy(database, {
    apply(target, _, its) {
      const made: unknown = Reflect.apply(target as never, undefined, its)
      if (made instanceof Promise) statements.push(made as Promise<unknown> & Statement)
      return made
    },
  })
}

const lookAgainMs = 50
