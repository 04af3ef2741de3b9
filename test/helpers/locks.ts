import type { TestDatabase } from './database.js'
import { deferred } from './deferred.js'

/** Runs the statement in a transaction that keeps its locks open. Returns a function that ends the transaction. */
export async function lock({ sql }: TestDatabase, statement: string): Promise<() => Promise<void>> {
  const locked = deferred<void>()
  const end = deferred<void>()
  const transaction = sql.begin(async (transactionSql) => {
    // No limit on how long the test keeps the lock
    await transactionSql`set local idle_in_transaction_session_timeout = 0`
    await transactionSql.unsafe(statement)
    locked.resolve()
    await end.promise
  })
  await Promise.race([locked.promise, transaction])
  return async () => {
    end.resolve()
    await transaction
  }
}

/** The statements that currently wait for a lock */
export async function waitingStatements({ sql }: TestDatabase): Promise<string[]> {
  const rows = await sql<{ query: string }[]>`
    select query from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' order by query_start`
  return rows.map(({ query }) => query)
}
