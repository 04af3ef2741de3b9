import type { Logger } from 'pino'
import { type Config, ConfigError } from '../config.js'
import { connect, type Database } from '../platform/database/connection.js'
import { loadDemoDataOnce } from '../platform/database/demo-data.js'
import { EmbeddedPostgresError } from '../platform/database/embedded/binaries.js'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../platform/database/embedded-postgres.js'
import { sharesSessions } from '../platform/database/shared-sessions.js'
import { migrate } from './migrate.js'
import type { ResourceStack } from './resource-stack.js'

/** Applies migrations and loads demo data, on separate connections that do not belong to the pool. */
export async function prepareDatabase(config: Config, logger: Logger, url: string): Promise<void> {
  const database = connect({ ...connectionOptions(config, url), maxConnections: 2 })
  try {
    if (config.DATABASE_URL !== undefined) await refuseSharedSessions(database)
    if (!(await migrate(database))) logger.warn(ddlWarning)
    if (config.DEMO_DATA && (await loadDemoDataOnce(database))) logger.info('Demo data loaded')
  } finally {
    await database.end({ timeout: 3 })
  }
}

/**
 * Throws ConfigError if connections share sessions, or if the database cannot be used, since this is the first use of the URL.
 */
async function refuseSharedSessions(database: Database): Promise<void> {
  const isShared = await sharesSessions(database).catch((error) => {
    throw new ConfigError([`DATABASE_URL names a database that cannot be used: ${messageOf(error)}`])
  })
  if (isShared) throw new ConfigError([sharedSessions])
}

export function connectionOptions(config: Config, url: string) {
  return {
    url,
    maxConnections: config.DATABASE_POOL,
    statementTimeoutMs: config.DATABASE_TIMEOUT_MS,
    connectTimeoutMs: config.DATABASE_TIMEOUT_MS,
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

export async function startDatabase(
  config: Config,
  logger: Logger,
  resources: ResourceStack,
  stopping: AbortSignal | undefined,
): Promise<string> {
  const log = (message: string) => logger.info(message)
  const postgres = await startPostgresIn({ dataDirectory: config.DATA_DIR, log, stopping })
  postgres.keepRunning((message) => logger.warn(message))
  resources.push(() => postgres.stop())
  return postgres.url
}

/** Throws ConfigError if the folder cannot be used, or if this machine cannot run the embedded Postgres. */
export function startPostgresIn(options: Parameters<typeof startEmbeddedPostgres>[0]): Promise<EmbeddedPostgres> {
  return startEmbeddedPostgres(options).catch((error) => {
    if (error instanceof EmbeddedPostgresError) throw new ConfigError([error.message])
    if (!('code' in error)) throw error
    const remedy = 'name a folder that this user may create and write, or set DATABASE_URL to a Postgres of your own'
    throw new ConfigError([
      `DATA_DIR names the folder ${options.dataDirectory}, which cannot be used (${messageOf(error)}): ${remedy}`,
    ])
  })
}

const ddlWarning =
  'DDL on the tables of the shop will not invalidate the cache, because the user of DATABASE_URL may not create event triggers: see docs/operations.md'

const sharedSessions =
  'DATABASE_URL is the address of a pooler that shares sessions between connections, as PgBouncer does in transaction mode. Locks, notifications and timeouts need separate sessions: use its session mode, or the address of the database itself'
