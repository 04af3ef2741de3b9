import { collectChanges, isCancelled, type OutboxRow } from 'cached-resolvers/postgres'
import type { TransactionSql } from 'postgres'
import type { Database } from '../platform/database/connection.js'
import { Refusal, type UserError } from './user-error.js'

export type Outcome<T> = { state: 'done'; value: T } | { state: 'refused'; userErrors: readonly UserError[] }

export interface CommandContext {
  database: Database
  cancellation: Cancellation
  /** Called after the commit with the changes of the transaction. Invalidates the caches. */
  onCommitted: (changes: readonly OutboxRow[]) => Promise<void>
}

/** Cancellation of the request. A command does not start after the request is cancelled. */
interface Cancellation {
  readonly reason: Error | undefined
  onCancel(callback: (reason: Error) => void): () => void
}

/**
 * Runs a command in one transaction, and runs the transaction again after a deadlock. A Refusal rolls the transaction back and
 * becomes the outcome. The transaction does not begin if the request is already cancelled. A cancellation does not interrupt a
 * transaction that has begun, so that the client learns the outcome.
 */
export async function runCommand<T>(
  { database, cancellation, onCommitted }: CommandContext,
  work: (transaction: TransactionSql) => Promise<T>,
): Promise<Outcome<T>> {
  try {
    const { value, changes } = await retryIfRolledBack(() =>
      beginUnlessCancelled(cancellation, database, (transaction) => collectChanges(transaction, work)),
    )
    await onCommitted(changes)
    return { state: 'done', value: value as T }
  } catch (error) {
    if (error instanceof Refusal) return { state: 'refused', userErrors: error.userErrors }
    throw error
  }
}

function beginUnlessCancelled<T>(
  cancellation: Cancellation,
  database: Database,
  work: (transaction: TransactionSql) => Promise<T>,
): Promise<T> {
  return new Promise((resolve, reject) => {
    if (cancellation.reason) throw cancellation.reason
    // A cancellation rejects only while the command waits for a connection.
    const stopWaiting = cancellation.onCancel(reject)
    const begun = database.begin((transaction) => {
      stopWaiting()
      if (cancellation.reason) throw cancellation.reason
      return work(transaction)
    })
    begun.then(stopWaiting, stopWaiting)
    begun.then((value) => resolve(value as T), reject)
  })
}

/**
 * Runs the transaction up to four times. It is run again after a deadlock, or if a cancel request that was meant for an earlier
 * statement on the same connection has cancelled one of its statements.
 */
async function retryIfRolledBack<T>(runTransaction: () => Promise<T>): Promise<T> {
  for (let retries = 3; ; retries -= 1) {
    try {
      return await runTransaction()
    } catch (error) {
      if (retries === 0 || !(isSqlError(error, '40P01') || isCancelled(error))) throw error
    }
  }
}

/** Whether the error is a Postgres error with this SQLSTATE (see "PostgreSQL Error Codes"). */
export function isSqlError(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
