import type { TransactionSql } from 'postgres'
import type { Database } from '../database/connection.js'
import { type OutboxRow, ownOutboxRows } from '../database/outbox.js'
import { Refusal, type UserError } from './user-error.js'

export type Outcome<T> = { state: 'done'; value: T } | { state: 'refused'; userErrors: readonly UserError[] }

export interface CommandContext {
  database: Database
  /** Makes the caches right; called after the commit with what it changed. */
  committed: (changes: readonly OutboxRow[]) => Promise<void>
}

/** One transaction: all of it or nothing. A deadlock is tried again; a refusal undoes it and becomes the outcome. */
export async function runCommand<T>(
  { database, committed }: CommandContext,
  work: (transaction: TransactionSql) => Promise<T>,
): Promise<Outcome<T>> {
  try {
    const { value, changes } = await retryingDeadlocks(() =>
      database.begin(async (transaction) => {
        await transaction`select set_config('shop.relay_delay', ${relayDelay}, true)`
        const value = await work(transaction)
        return { value, changes: await ownOutboxRows(transaction) }
      }),
    )
    await committed(changes)
    return { state: 'done', value: value as T }
  } catch (error) {
    if (error instanceof Refusal) return { state: 'refused', userErrors: error.userErrors }
    throw error
  }
}

/** How long the relay leaves a mutation's changes to the process that made them; should that die, this is the delay. */
const relayDelay = '300 milliseconds'

async function retryingDeadlocks<T>(attempt: () => Promise<T>): Promise<T> {
  for (let left = 3; ; left -= 1) {
    try {
      return await attempt()
    } catch (error) {
      if (left === 0 || !isSqlError(error, '40P01')) throw error
    }
  }
}

/** Whether Postgres answered with this code, see "PostgreSQL Error Codes". */
export function isSqlError(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
