import type { Database } from '../src/platform/database/connection.js'

/**
 * Whether a change is still owed to a store that a process uses: one of these rows of the outbox, or any. What is owed to a server to which
 * no address leads, or to the memory of a process that was killed, waits for it in vain.
 */
export async function isOwed(database: Database, ids: readonly number[] | 'any'): Promise<boolean> {
  const chosen = ids === 'any' ? database`true` : database`o.id = any(${ids as number[]}::bigint[])`
  const rows = await database`
    select 1 from cache_outbox o, cache_stores_owed(o.namespace, o.delivered_to) s
    where ${chosen} and s.in_use_at > clock_timestamp() - interval '2 seconds' limit 1`
  return rows.length > 0
}
