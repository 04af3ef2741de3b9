import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, type Database } from '../../src/platform/database/connection.js'
import { startEmbeddedPostgres } from '../../src/platform/database/embedded-postgres.js'
import { freePort } from '../../tools/free-port.js'
import { RedisServer } from '../../torture/redis-server.js'
import { expectRedisServer } from './prepare.js'
import { seed } from './seed.js'
import type { World } from './stops.js'

export interface Shop {
  redis: RedisServer
  database: Database
  databaseUrl: string
}

/** An empty folder that Postgres, which does not run as root, can enter. */
export async function scratchFolder({ stops }: World): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'shop-bench-'))
  stops.push(() => rm(folder, { recursive: true, force: true }))
  await chmod(folder, 0o755)
  return folder
}

/** An empty Redis server that keeps nothing on disk. */
export async function startRedis({ stops }: World, folder: string): Promise<RedisServer> {
  expectRedisServer()
  const redis = new RedisServer(await freePort(), folder)
  stops.push(() => redis.stop())
  await redis.start()
  return redis
}

/** Redis and Postgres with all rows. With `countStatements`, Postgres counts its statements in pg_stat_statements. */
export async function openShop(world: World, { countStatements = false } = {}): Promise<Shop> {
  const folder = await scratchFolder(world)
  const redis = await startRedis(world, folder)
  world.print('starting Postgres and filling it')
  let postgres = await startPostgres(world, folder)
  if (countStatements) {
    const administrator = connectTo(postgres.url)
    await administrator`alter system set shared_preload_libraries = 'pg_stat_statements'`
    await administrator.end()
    await postgres.stop()
    postgres = await startPostgres(world, folder)
  }
  const database = connectTo(postgres.url)
  world.stops.push(() => database.end({ timeout: 1 }))
  await seed(database)
  if (countStatements) await database`create extension pg_stat_statements`
  return { redis, database, databaseUrl: postgres.url }
}

async function startPostgres({ stops }: World, folder: string) {
  const postgres = await startEmbeddedPostgres({ dataDirectory: folder, log: () => {} })
  stops.push(() => postgres.stop())
  return postgres
}

function connectTo(url: string): Database {
  return connect({ url, maxConnections: 4, statementTimeoutMs: 60_000, connectTimeoutMs: 10_000 })
}
