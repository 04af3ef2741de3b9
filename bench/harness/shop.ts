import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, type Database } from '../../src/platform/database/connection.js'
import { startEmbeddedPostgres } from '../../src/platform/database/embedded-postgres.js'
import { freePort } from '../../tools/free-port.js'
import { RedisServer } from '../../torture/redis-server.js'
import type { BenchContext } from './context.js'
import { expectRedisServer } from './prepare.js'
import { seed } from './seed.js'

export interface Shop {
  redis: RedisServer
  database: Database
  databaseUrl: string
}

/** Creates an empty folder to which Postgres, which does not run as root, has access. */
export async function scratchFolder({ cleanups }: BenchContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'shop-bench-'))
  cleanups.push(() => rm(folder, { recursive: true, force: true }))
  await chmod(folder, 0o755)
  return folder
}

/** Starts an empty Redis server without persistence. */
export async function startRedis({ cleanups }: BenchContext, folder: string): Promise<RedisServer> {
  expectRedisServer()
  const redis = new RedisServer(await freePort(), folder)
  cleanups.push(() => redis.stop())
  await redis.start()
  return redis
}

/** Starts Redis and Postgres with all rows. With `countStatements`, Postgres counts statements in pg_stat_statements. */
export async function openShop(context: BenchContext, { countStatements = false } = {}): Promise<Shop> {
  const folder = await scratchFolder(context)
  const redis = await startRedis(context, folder)
  context.print('starting Postgres and filling it')
  let postgres = await startPostgres(context, folder)
  if (countStatements) {
    const administrator = connectTo(postgres.url)
    await administrator`alter system set shared_preload_libraries = 'pg_stat_statements'`
    await administrator.end()
    await postgres.stop()
    postgres = await startPostgres(context, folder)
  }
  const database = connectTo(postgres.url)
  context.cleanups.push(() => database.end({ timeout: 1 }))
  await seed(database)
  if (countStatements) await database`create extension pg_stat_statements`
  return { redis, database, databaseUrl: postgres.url }
}

/** Starts one Redis and one Postgres, with a database with all rows for each of the names. Postgres counts statements. */
export async function openShops<Name extends string>(context: BenchContext, names: readonly Name[]): Promise<Map<Name, Shop>> {
  const shop = await openShop(context, { countStatements: true })
  // Postgres copies a database only while nobody is connected to it.
  await shop.database.end()
  const administrator = connectTo(urlOf(shop, 'postgres'))
  const shops = new Map<Name, Shop>()
  for (const name of names) {
    await administrator`create database ${administrator(name as string)} template shop`
    const databaseUrl = urlOf(shop, name)
    const database = connectTo(databaseUrl)
    context.cleanups.push(() => database.end({ timeout: 1 }))
    shops.set(name, { redis: shop.redis, database, databaseUrl })
  }
  await administrator.end()
  return shops
}

function urlOf({ databaseUrl }: Shop, name: string): string {
  return new URL(name, databaseUrl).href
}

async function startPostgres({ cleanups }: BenchContext, folder: string) {
  const postgres = await startEmbeddedPostgres({ dataDirectory: folder, log: () => {} })
  cleanups.push(() => postgres.stop())
  return postgres
}

function connectTo(url: string): Database {
  return connect({ url, maxConnections: 4, statementTimeoutMs: 60_000, connectTimeoutMs: 10_000 })
}
