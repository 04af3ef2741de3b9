import { collectChanges, isCancelled, type OutboxRow } from 'cached-resolvers/postgres'
import type { TransactionSql } from 'postgres'
import type { Database } from '../platform/database/connection.js'
import { Refusal, type UserError } from './user-error.js'

export type Outcome<T> = { state: 'done'; value: T } | { state: 'refused'; userErrors: readonly UserError[] }

export interface CommandContext {
  database: Database
  caller: Caller
  /** Makes the caches right; called after the commit with what it changed. */
  committed: (changes: readonly OutboxRow[]) => Promise<void>
}

/** Whoever asked for it, and may give up before it has begun. */
interface Caller {
  readonly gaveUp: Error | undefined
  whenGivingUp(callback: (reason: Error) => void): () => void
}

/**
 * One transaction: all of it or nothing. A deadlock is tried again; a refusal undoes it and becomes the outcome. It does not begin for a
 * caller that has given up. Once begun it is seen through, so that whoever waits learns what became of it.
 */
export async function runCommand<T>(
  { database, caller, committed }: CommandContext,
  work: (transaction: TransactionSql) => Promise<T>,
): Promise<Outcome<T>> {
  try {
    const { value, changes } = await retryingUndone(() =>
      beginFor(caller, database, (transaction) => collectChanges(transaction, work)),
    )
    await committed(changes)
    return { state: 'done', value: value as T }
  } catch (error) {
    if (error instanceof Refusal) return { state: 'refused', userErrors: error.userErrors }
    throw error
  }
}

function beginFor<T>(caller: Caller, database: Database, work: (transaction: TransactionSql) => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    if (caller.gaveUp) throw caller.gaveUp
    // For as long as all connections are taken.
    const stopWaiting = caller.whenGivingUp(reject)
    const begun = database.begin((transaction) => {
      stopWaiting()
      if (caller.gaveUp) throw caller.gaveUp
      return work(transaction)
    })
    begun.then(stopWaiting, stopWaiting)
    begun.then((its) => resolve(its as T), reject)
  })
}

/** What was not its own fault: a deadlock, or a cancellation that was meant for an earlier statement on its connection. */
async function retryingUndone<T>(attempt: () => Promise<T>): Promise<T> {
  for (let left = 3; ; left -= 1) {
    try {
      return await attempt()
    } catch (error) {
      if (left === 0 || !(isSqlError(error, '40P01') || isCancelled(error))) throw error
    }
  }
}

/** Whether Postgres answered with this code, see "PostgreSQL Error Codes". */
export function isSqlError(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
