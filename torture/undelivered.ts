import type { Database } from '../src/platform/database/connection.js'

/**
 * Whether one of these outbox rows, or any row, is not yet delivered to a store in use. Ignores stores that no process uses: a
 * server to which no address points, or the memory of a process that was killed.
 */
export async function isUndelivered(database: Database, ids: readonly number[] | 'any'): Promise<boolean> {
  const chosen = ids === 'any' ? database`true` : database`o.id = any(${ids as number[]}::bigint[])`
  const rows = await database`
    select 1 from cache_outbox o, cache_stores_owed(o.namespace, o.delivered_to) s
    where ${chosen} and s.in_use_at > clock_timestamp() - interval '2 seconds' limit 1`
  return rows.length > 0
}
