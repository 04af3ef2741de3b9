import type { TransactionSql } from 'postgres'
import { type OutboxRow, ownOutboxRows } from './outbox.js'

/**
 * Runs work in a transaction whose changes this process carries to the caches by itself, right after the commit (Relay.deliverOwn). Should
 * it die in between, the relays do so 300 ms after the change.
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
