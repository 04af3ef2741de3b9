import type { TransactionSql } from 'postgres'
import type { Database } from '../../platform/database/connection.js'
import { refuse } from '../user-error.js'

export interface IdempotencyKey {
  key: string
  /** Row id of the customer. Keys of different customers are independent. */
  user: number
  /** Hash of the whole order input */
  inputHash: string
}

/** Returns the order placed with this key, or null if the key is new. Waits for a concurrent call with the same key. */
export async function claimKey(transaction: TransactionSql, { key, user, inputHash }: IdempotencyKey): Promise<number | null> {
  const claimed = await transaction`
    insert into idempotency_keys (key, user_id, input_hash) values (${key}, ${user}, ${inputHash}) on conflict do nothing`
  if (claimed.count === 1) return null
  const [used] = await transaction<{ order_id: number; input_hash: string }[]>`
    select order_id, input_hash from idempotency_keys where key = ${key} and user_id = ${user}`
  if (used?.input_hash !== inputHash) {
    refuse('IDEMPOTENCY_KEY_REUSED', 'This idempotencyKey was used for another order', ['idempotencyKey'])
  }
  return used.order_id
}

export async function saveOrderOfKey(
  transaction: TransactionSql,
  { key, user }: IdempotencyKey,
  order: number | null,
): Promise<void> {
  await transaction`update idempotency_keys set order_id = ${order} where key = ${key} and user_id = ${user}`
}

/** Deletes expired keys now and then every hour. Runs in every process; keys that another process is deleting are skipped. */
export function startExpiringKeys(database: Database, log: (message: string) => void): { stop: () => Promise<void> } {
  const expire = () =>
    deleteExpiredKeys(database).catch((error) =>
      log(
        `expired idempotency keys could not be deleted: ${error instanceof Error ? error.message : String(error)}; will be tried again`,
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
