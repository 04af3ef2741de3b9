import type { TestDatabase } from './database.js'
import { deferred } from './deferred.js'

/** Keeps everybody else from what the statement locks, until it is released. */
export async function lock({ sql }: TestDatabase, statement: string): Promise<() => Promise<void>> {
  const held = deferred<void>()
  const end = deferred<void>()
  const transaction = sql.begin(async (its) => {
    // Held for as long as the test likes.
    await its`set local idle_in_transaction_session_timeout = 0`
    await its.unsafe(statement)
    held.resolve()
    await end.promise
  })
  await Promise.race([held.promise, transaction])
  return async () => {
    end.resolve()
    await transaction
  }
}

/** The statements of the app that are waiting for a lock now */
export async function waitingStatements({ sql }: TestDatabase): Promise<string[]> {
  const rows = await sql<{ query: string }[]>`
    select query from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' order by query_start`
  return rows.map(({ query }) => query)
}
