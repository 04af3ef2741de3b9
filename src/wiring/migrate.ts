import { ensureEventTriggers, installTracking } from 'cached-resolvers/postgres'
import { applyMigrations } from '../platform/database/apply-migrations.js'
import type { Database } from '../platform/database/connection.js'
import { entities } from '../shop/entities.js'

/**
 * Creates the shop's tables, then the triggers that report changes of these tables to the cache, then drops the triggers of older
 * versions. Several processes may migrate at the same time. Returns whether DDL on the tables is detected (see
 * ensureEventTriggers).
 */
export async function migrate(database: Database): Promise<boolean> {
  await applyMigrations(database, tables)
  await installTracking(database, entities)
  const isDdlDetected = await ensureEventTriggers(database)
  await applyMigrations(database, replaced)
  return isDdlDetected
}

const tables = new URL('../platform/database/migrations/', import.meta.url)
const replaced = new URL('replaced/', tables)
