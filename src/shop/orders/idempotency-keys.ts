import type { TransactionSql } from 'postgres'
import type { Database } from '../../platform/database/connection.js'
import { refuse } from '../user-error.js'

export interface IdempotencyKey {
  key: string
  /** Row id of the customer. Two customers may use the same key. */
  userRowId: number
  /** Hash of the whole order input */
  inputHash: string
}

/**
 * Claims the key for the order of this transaction. Returns the row id of the order that was placed with this key before, or null if
 * the key is new. Waits for the end of a concurrent transaction that has claimed the same key.
 */
export async function claimKey(
  transaction: TransactionSql,
  { key, userRowId, inputHash }: IdempotencyKey,
): Promise<number | null> {
  const claimed = await transaction`
    insert into idempotency_keys (key, user_id, input_hash) values (${key}, ${userRowId}, ${inputHash}) on conflict do nothing`
  if (claimed.count === 1) return null
  const [claim] = await transaction<{ order_id: number; input_hash: string }[]>`
    select order_id, input_hash from idempotency_keys where key = ${key} and user_id = ${userRowId}`
  if (claim?.input_hash !== inputHash) {
    refuse('IDEMPOTENCY_KEY_REUSED', 'This idempotencyKey was used for another order', ['idempotencyKey'])
  }
  return claim.order_id
}

export async function recordOrderForKey(
  transaction: TransactionSql,
  { key, userRowId }: IdempotencyKey,
  orderRowId: number | null,
): Promise<void> {
  await transaction`update idempotency_keys set order_id = ${orderRowId} where key = ${key} and user_id = ${userRowId}`
}

/** Deletes expired keys, now and once per hour. Every process does this, and skips keys that another process is deleting. */
export function startExpiringKeys(database: Database, log: (message: string) => void): { stop: () => Promise<void> } {
  const expire = () =>
    deleteExpiredKeys(database).catch((error) =>
      log(
        `Failed to delete expired idempotency keys: ${error instanceof Error ? error.message : String(error)}. Will retry in one hour`,
      ),
    )
  let running = expire()
  const timer = setInterval(() => {
    running = running.then(expire)
  }, intervalMs)
  return {
    stop() {
      clearInterval(timer)
      return running
    },
  }
}

/** Deletes in batches, so that no statement takes long. */
async function deleteExpiredKeys(database: Database): Promise<void> {
  for (let count = batchSize; count === batchSize; ) {
    const deleted = await database`
      delete from idempotency_keys where ctid = any(array(
        select ctid from idempotency_keys where created_at < now() - ${retention}::interval limit ${batchSize} for update skip locked))`
    count = deleted.count
  }
}

const retention = '7 days'
const intervalMs = 3_600_000
const batchSize = 1_000
