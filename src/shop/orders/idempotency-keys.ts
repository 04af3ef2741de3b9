import type { TransactionSql } from 'postgres'
import type { Database } from '../../platform/database/connection.js'
import { refuse } from '../user-error.js'

export interface IdempotencyKey {
  key: string
  /** The customer's; another customer's key of the same text is another key. */
  user: number
  /** Of everything that the order is made of */
  inputHash: string
}

/** Gives the order that this key has made, or null when the key is new. A call under way with the same key is waited for. */
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

/** Deletes expired keys at once and then every hour, in every process; those that another one is deleting are left to it. */
export function startExpiringKeys(database: Database, log: (message: string) => void): { stop: () => Promise<void> } {
  const expire = () =>
    deleteExpiredKeys(database).catch((error) =>
      log(`expired idempotency keys: ${error instanceof Error ? error.message : String(error)}; will be tried again`),
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

/** In batches, so that no statement takes long. */
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
