import type { TransactionSql } from 'postgres'
import { type OutboxRow, ownOutboxRows } from './outbox.js'

/**
 * Runs work in a transaction and returns its outbox rows, which the caller has to deliver right after the commit
 * (Relay.deliverOwn). If the process dies in between, the relays deliver them 300 ms after the change.
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
