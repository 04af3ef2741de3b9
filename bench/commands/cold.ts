import { Redis } from 'ioredis'
import type { Database } from '../../src/platform/database/connection.js'
import { Random } from '../../torture/random.js'
import { Client } from '../harness/client.js'
import type { BenchContext } from '../harness/context.js'
import { divideCores } from '../harness/cores.js'
import { buildProject, buildServers, expectRedisServer } from '../harness/prepare.js'
import { type QueryName, queries, queryNames, requestBody } from '../harness/queries.js'
import { startServer } from '../harness/servers.js'
import { openShop } from '../harness/shop.js'
import { readUsage } from '../harness/usage.js'
import type { Options } from '../options.js'
import type { ColdRow } from '../report/results.js'
import { quantile } from '../report/statistics.js'
import { writeSection } from '../report/write.js'

const shares = [0.5, 1]
const emptyRounds = 3
const connections = 50
/** Up to these numbers, consecutive ids have no product in common. */
const maxRequests: Record<QueryName, number> = { Q1: 5_000, Q2: 1_650, Q3: 500 }
const cacheNamespaces = ['USERS', 'PRODUCTS', 'ORDERS', 'PRODUCT_LISTS', 'USER_ORDERS', 'STATS']

const limitRedisDatabase = 1

interface Target {
  server: ColdRow['server']
  client: Client
  database: Database
  pid: number
  quick: boolean
  flush: () => Promise<unknown>
}

/**
 * Measures reads with nothing, half, and all of the requested ids in the cache. With nothing in the cache, measures the limit in turn with
 * ours, three times, and reports the median of each by CPU time.
 */
export async function cold(options: Options, context: BenchContext): Promise<string> {
  expectRedisServer()
  await buildProject(context)
  await buildServers(context)
  const cores = divideCores()
  const shop = await openShop(context, { countStatements: true })
  // Audits would read the database, too.
  const env = { AUDIT_INTERVAL_MS: '0' }
  const start = async (name: ColdRow['server'], flush: (client: Client) => Promise<unknown>): Promise<Target> => {
    const redisDatabase = name === 'limit' ? limitRedisDatabase : 0
    const server = await startServer(context, name, { shop, prefix: cores.serverPrefix, sameFlags: false, env, redisDatabase })
    const client = new Client(server.url, connections)
    const { database } = shop
    return { server: name, client, database, pid: server.child.pid, quick: options.quick, flush: () => flush(client) }
  }
  const limitRedis = new Redis(`${shop.redis.url}/${limitRedisDatabase}`)
  context.cleanups.push(async () => limitRedis.disconnect())
  const limit = await start('limit', () => limitRedis.flushdb())
  const ours = await start('ours-far', flushOurs)

  for (const target of [limit, ours]) for (const query of queryNames) await askAll(target, query, idsOf(target, query))
  const rows: ColdRow[] = []
  for (const query of queryNames) {
    const empty: ColdRow[] = []
    for (let round = 0; round < emptyRounds; round += 1)
      for (const target of [limit, ours]) empty.push(await measure(target, query, 0))
    for (const { server } of [limit, ours]) rows.push(medianByCpu(empty.filter((row) => row.server === server)))
    for (const share of shares) rows.push(await measure(ours, query, share))
    context.print(`${query}: measured`)
  }
  for (const { client } of [limit, ours]) client.close()
  return writeSection('cold', rows, { quick: options.quick })
}

function medianByCpu(rows: readonly ColdRow[]): ColdRow {
  const sorted = [...rows].sort((a, b) => (a.cpuUsPerRequest ?? 0) - (b.cpuUsPerRequest ?? 0))
  return sorted[Math.floor(sorted.length / 2)] as ColdRow
}

async function measure(target: Target, query: QueryName, warmedShare: number): Promise<ColdRow> {
  const ids = idsOf(target, query)
  await target.flush()
  await askAll(target, query, ids.slice(0, Math.round(ids.length * warmedShare)))
  const before = await readCounts(target)
  const startedAt = performance.now()
  const latenciesMs = await askAll(target, query, shuffled(ids))
  const seconds = (performance.now() - startedAt) / 1_000
  const after = await readCounts(target)
  const [hits, misses] = [after.hits - before.hits, after.misses - before.misses]
  return {
    ...{ query, server: target.server, warmedShare, requests: ids.length, requestsPerSecond: ids.length / seconds },
    hitShare: target.server === 'limit' ? null : hits / (hits + misses),
    p99Us: quantile(latenciesMs, 0.99) * 1_000,
    statementsPerRequest: (after.statements - before.statements) / ids.length,
    cpuUsPerRequest: before.usage && after.usage ? (after.usage.cpuUs - before.usage.cpuUs) / ids.length : null,
  }
}

function idsOf({ quick }: Target, query: QueryName): readonly string[] {
  return queries[query].ids.slice(0, quick ? 100 : maxRequests[query])
}

/** Returns the latencies in milliseconds, sorted. */
async function askAll({ client }: Target, query: QueryName, ids: readonly string[]): Promise<number[]> {
  const latenciesMs: number[] = []
  const bodies = ids.map((id) => requestBody(query, id))
  await client.postAll(bodies, (index, { status, text }, tookMs) => {
    if (status !== 200 || text.includes('"errors"'))
      throw new Error(`${query} for ${ids[index]}: ${status} ${text.slice(0, 500)}`)
    latenciesMs.push(tookMs)
  })
  return latenciesMs.sort((a, b) => a - b)
}

async function flushOurs(client: Client): Promise<void> {
  const fields = cacheNamespaces.map((name) => `${name}: flushCache(namespace: ${name}) { namespace }`)
  await client.query(JSON.stringify({ query: `mutation { ${fields.join(' ')} }` }))
}

/** Counts since the start: lookups of the cache, SQL statements on the shop's tables, usage of the process. */
async function readCounts({ server, client, database, pid }: Target) {
  const asked = server === 'limit' ? [] : await readCacheCounts(client)
  const [row] = await database<{ statements: number }[]>`
    select coalesce(sum(calls), 0)::bigint as statements from pg_stat_statements
    where query ~ '\\m(users|products|orders|order_items)\\M' and query !~ 'cache_outbox|pg_stat_statements'`
  return {
    hits: asked.reduce((total, { hits }) => total + hits, 0),
    misses: asked.reduce((total, { misses }) => total + misses, 0),
    statements: row?.statements ?? 0,
    usage: readUsage(pid),
  }
}

async function readCacheCounts(client: Client) {
  const { stats } = await client.query<Stats>(JSON.stringify({ query: '{ stats { caches { namespace hits misses } } }' }))
  return stats.caches.filter(({ namespace }) => namespace !== 'STATS')
}

interface Stats {
  stats: { caches: { namespace: string; hits: number; misses: number }[] }
}

function shuffled(ids: readonly string[]): string[] {
  const random = new Random(1, 'order')
  return ids
    .map((id) => ({ id, rank: random.next() }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ id }) => id)
}
