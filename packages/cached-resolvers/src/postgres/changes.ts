import type { TransactionSql } from 'postgres'
import { type OutboxRow, ownOutboxRows } from './outbox.js'

/**
 * Runs `work` in the transaction, and returns its result and the outbox rows of the transaction. The caller has to deliver the
 * rows right after the commit (Relay.deliverOwn). If the process crashes before that, the relays of other processes deliver the
 * rows 300 ms after the change.
 */
export async function collectChanges<T>(
  transaction: TransactionSql,
  work: (transaction: TransactionSql) => Promise<T>,
): Promise<{ value: T; changes: readonly OutboxRow[] }> {
  await transaction`select set_config('cache.relay_delay', ${relayDelay}, true)`
  const value = await work(transaction)
  return { value, changes: await ownOutboxRows(transaction) }
}

const relayDelay = '300 milliseconds'
