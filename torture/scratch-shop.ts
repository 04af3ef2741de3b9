import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, type Database } from '../src/platform/database/connection.js'
import { loadDemoDataOnce } from '../src/platform/database/demo-data.js'
import { startEmbeddedPostgres } from '../src/platform/database/embedded-postgres.js'
import { migrate } from '../src/wiring/migrate.js'
import { freePort } from '../tools/free-port.js'
import { RedisServer } from './redis-server.js'

export interface ScratchShop {
  databaseUrl: string
  database: Database
  redis: RedisServer
  /** Stops both servers and deletes their data. */
  close: () => Promise<void>
}

/** Starts a Redis and a Postgres with the demo data; with `isEmpty`, without tables. */
export async function openScratchShop({ isEmpty = false } = {}): Promise<ScratchShop> {
  const folder = await mkdtemp(join(tmpdir(), 'shop-'))
  // Postgres does not run as root and needs access to the folder.
  await chmod(folder, 0o755)
  const postgres = await startEmbeddedPostgres({ dataDirectory: folder, log: () => {} })
  const database = connect({ url: postgres.url, maxConnections: 1, statementTimeoutMs: 5_000, connectTimeoutMs: 5_000 })
  const redis = new RedisServer(await freePort(), folder)
  const close = async () => {
    await redis.stop()
    await database.end()
    await postgres.stop()
    await rm(folder, { recursive: true, force: true })
  }
  try {
    await redis.start()
    if (!isEmpty) {
      await migrate(database)
      await loadDemoDataOnce(database)
    }
    return { databaseUrl: postgres.url, database, redis, close }
  } catch (error) {
    await close()
    throw error
  }
}
