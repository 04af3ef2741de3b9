import { setTimeout as sleep } from 'node:timers/promises'
import type { Random } from './random.js'
import type { World } from './world.js'

/** Like a slow database: statements on the table wait. */
export async function lockTable({ database }: World, random: Random): Promise<void> {
  const table = random.pick(['users', 'products', 'orders', 'cache_outbox'])
  const lockedMs = random.between(50, 300)
  await database.begin(async (sql) => {
    await sql`lock table ${sql(table)} in access exclusive mode`
    await sleep(lockedMs)
  })
}

/** Terminates the connections on which the relays listen for commits. */
export async function stopListening({ database }: World): Promise<void> {
  await database`select pg_terminate_backend(pid) from pg_stat_activity where query ilike 'listen %' and pid <> pg_backend_pid()`
}
