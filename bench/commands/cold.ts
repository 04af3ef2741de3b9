import type { Database } from '../../src/platform/database/connection.js'
import { Random } from '../../torture/random.js'
import { Client } from '../harness/client.js'
import type { BenchContext } from '../harness/context.js'
import { divideCores } from '../harness/cores.js'
import { buildProject, expectRedisServer } from '../harness/prepare.js'
import { type QueryName, queries, queryNames, requestBody } from '../harness/queries.js'
import { startServer } from '../harness/servers.js'
import { openShop } from '../harness/shop.js'
import { readUsage } from '../harness/usage.js'
import type { Options } from '../options.js'
import type { ColdRow } from '../report/results.js'
import { quantile } from '../report/statistics.js'
import { writeSection } from '../report/write.js'

const shares = [0, 0.5, 1]
const connections = 50
/** Up to these numbers, consecutive ids have no product in common. */
const maxRequests: Record<QueryName, number> = { Q1: 5_000, Q2: 1_650, Q3: 500 }
const cacheNamespaces = ['USERS', 'PRODUCTS', 'ORDERS', 'PRODUCT_LISTS', 'USER_ORDERS', 'STATS']

interface Target {
  client: Client
  database: Database
  pid: number
  quick: boolean
}

/** Measures reads with nothing, half, and all of the requested ids in the cache. */
export async function cold(options: Options, context: BenchContext): Promise<string> {
  expectRedisServer()
  await buildProject(context)
  const cores = divideCores()
  const shop = await openShop(context, { countStatements: true })
  // Audits would read the database, too.
  const env = { AUDIT_INTERVAL_MS: '0' }
  const server = await startServer(context, 'ours-far', { shop, prefix: cores.serverPrefix, sameFlags: false, env })
  const target = {
    client: new Client(server.url, connections),
    database: shop.database,
    pid: server.child.pid,
    quick: options.quick,
  }

  for (const query of queryNames) await askAll(target, query, idsOf(target, query))
  const rows: ColdRow[] = []
  for (const query of queryNames) {
    for (const share of shares) {
      const row = await measure(target, query, share)
      rows.push(row)
      context.print(`${query}, ${share * 100} % asked before: ${Math.round(row.requestsPerSecond)} requests/s`)
    }
  }
  target.client.close()
  return writeSection('cold', rows, { quick: options.quick })
}

async function measure(target: Target, query: QueryName, warmedShare: number): Promise<ColdRow> {
  const ids = idsOf(target, query)
  await flush(target)
  await askAll(target, query, ids.slice(0, Math.round(ids.length * warmedShare)))
  const before = await readCounts(target)
  const startedAt = performance.now()
  const latenciesMs = await askAll(target, query, shuffled(ids))
  const seconds = (performance.now() - startedAt) / 1_000
  const after = await readCounts(target)
  const [hits, misses] = [after.hits - before.hits, after.misses - before.misses]
  return {
    ...{ query, warmedShare, requests: ids.length, requestsPerSecond: ids.length / seconds },
    hitShare: hits / (hits + misses),
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

async function flush({ client }: Target): Promise<void> {
  const fields = cacheNamespaces.map((name) => `${name}: flushCache(namespace: ${name}) { namespace }`)
  await client.query(JSON.stringify({ query: `mutation { ${fields.join(' ')} }` }))
}

/** Counts since the start: lookups of the cache, SQL statements on the shop's tables, usage of the process. */
async function readCounts({ client, database, pid }: Target) {
  const { stats } = await client.query<Stats>(JSON.stringify({ query: '{ stats { caches { namespace hits misses } } }' }))
  const asked = stats.caches.filter(({ namespace }) => namespace !== 'STATS')
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
