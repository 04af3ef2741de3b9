import { ensureEventTriggers, followEntities } from 'cached-resolvers/postgres'
import { applyMigrations } from '../platform/database/apply-migrations.js'
import type { Database } from '../platform/database/connection.js'
import { entities } from '../shop/entities.js'

/**
 * The tables of the shop, then what makes the cache follow them, then what followed them before goes. Several processes may call it at once.
 * Answers whether DDL on these tables is seen (see ensureEventTriggers).
 */
export async function migrate(database: Database): Promise<boolean> {
  await applyMigrations(database, tables)
  await followEntities(database, entities)
  const isDdlSeen = await ensureEventTriggers(database)
  await applyMigrations(database, replaced)
  return isDdlSeen
}

const tables = new URL('../platform/database/migrations/', import.meta.url)
const replaced = new URL('replaced/', tables)
