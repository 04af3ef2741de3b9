import type { Database } from '../../src/platform/database/connection.js'
import { Random } from '../../torture/random.js'
import { checkAnswers, drawSamples } from '../harness/check.js'
import { Client } from '../harness/client.js'
import type { BenchContext } from '../harness/context.js'
import { divideCores } from '../harness/cores.js'
import { buildProject, buildServers, expectRedisServer } from '../harness/prepare.js'
import { queryIds, queryNames, requestBody } from '../harness/queries.js'
import { type MixedServerName, mixedServerNames } from '../harness/server-names.js'
import { type RunningServer, type ServerOptions, startServer } from '../harness/servers.js'
import { openShops, type Shop } from '../harness/shop.js'
import { stallRegularly } from '../harness/stalls.js'
import { childPids, readUsageOfAll } from '../harness/usage.js'
import { MixedLoad } from '../load/mixed-load.js'
import type { Options } from '../options.js'
import type { MixedRun, MixedSetup } from '../report/results.js'
import { quantile } from '../report/statistics.js'
import { writeSection } from '../report/write.js'

/** Load before each timed run, to warm up again what cooled down while other servers were measured */
const warmUpSeconds = 3
const samplesPerQuery = 100

interface Plan {
  processes: number
  servers: readonly MixedServerName[]
  setups: readonly MixedSetup[]
}

const plans: readonly Plan[] = [
  { processes: 1, servers: mixedServerNames, setups: ['one process'] },
  {
    processes: 2,
    servers: ['limit-del', 'straightforward-del', 'ours-far', 'ours-near'],
    setups: ['two processes', 'one of two stalled'],
  },
]

/** What a server needs beside its name. Peers with invalidation have the TTL of the comparison, an hour. */
const variants: Record<MixedServerName, Pick<ServerOptions, 'peer' | 'env'>> = {
  'limit-del': { peer: 'limit', env: { QUERIES_HAVE_STOCK: 'true', INVALIDATE: 'true' } },
  'straightforward-del': { peer: 'straightforward', env: { INVALIDATE: 'true' } },
  'straightforward-ttl': { peer: 'straightforward', env: { TTL_SECONDS: '60' } },
  yoga: {},
  'mercurius-cache-ttl': { peer: 'mercurius-cache', env: { TTL_SECONDS: '1' } },
  'mercurius-cache-invalidation': { peer: 'mercurius-cache', env: { INVALIDATE: 'true' } },
  'ours-far': {},
  'ours-near': {},
}

interface Target {
  name: MixedServerName
  server: RunningServer
  database: Database
  load: MixedLoad
}

export function estimateMixedSeconds({ mixedServers, rounds, seconds, quick }: Options): number {
  const starts = plans.map((plan) => serversOf(plan, mixedServers).length)
  const runs = plans.map((plan) => serversOf(plan, mixedServers).length * plan.setups.length * rounds)
  return 20 + sum(starts) * (quick ? 4 : 15) + sum(runs) * (seconds + warmUpSeconds + 1)
}

/**
 * Measures servers under reads and writes, in turn, and judges every answer: it is stale if it misses a write that was acknowledged before the
 * read was sent. Each server has its own database, because the writes of one would be writes past the caches of the others.
 */
export async function mixed(options: Options, context: BenchContext): Promise<string> {
  expectRedisServer()
  await buildProject(context)
  await buildServers(context)
  const cores = divideCores()
  const runs: MixedRun[] = []
  for (const plan of plans.filter((plan) => serversOf(plan, options.mixedServers).length > 0)) {
    const targets = await startTargets(plan, options, context, cores.serverPrefix)
    for (const target of targets) await warm(target, options, context)
    for (const setup of plan.setups) runs.push(...(await measureAll(setup, targets, options, context)))
    for (const { server } of targets) await server.child.stop()
  }
  const { rounds, seconds, connections, rate, mixedServers, quick } = options
  const content = { rounds, seconds, connections, rate, cores: cores.description, runs }
  return writeSection('mixed', content, { quick, partial: mixedServers.length < mixedServerNames.length || rate !== null })
}

/** Starts the servers and checks their answers, first from Postgres and then from the cache. */
async function startTargets(
  plan: Plan,
  { mixedServers, connections, rate, quick }: Options,
  context: BenchContext,
  prefix: readonly string[],
): Promise<Target[]> {
  const targets: Target[] = []
  for (const [name, shop] of await openShops(context, serversOf(plan, mixedServers))) {
    await prepareDatabase(shop, name)
    const redisDatabase = mixedServerNames.indexOf(name)
    const { processes } = plan
    const options = { shop, prefix, sameFlags: false, redisDatabase, processes, ...variants[name] }
    const server = await startServer(context, name, options)
    const load = new MixedLoad({ url: server.url, database: shop.database, connections, rate })
    targets.push({ name, server, database: shop.database, load })
  }
  const random = new Random(1, 'samples')
  const [{ database }] = targets as [Target]
  const samples = await drawSamples(database, random, queryNames, { count: samplesPerQuery, quick, withStock: true })
  for (const { server } of [...targets, ...targets]) await checkAnswers(server, samples)
  context.print(`all servers give equal answers, ${samples.length} samples, processes of each: ${plan.processes}`)
  return targets
}

function serversOf({ servers }: Plan, chosen: readonly MixedServerName[]): MixedServerName[] {
  return servers.filter((name) => chosen.includes(name))
}

/** All products get version 0. Peers do not pay for our triggers with their writes. */
async function prepareDatabase({ database }: Shop, name: MixedServerName): Promise<void> {
  await database`update products set stock = 0`
  if (name.startsWith('ours')) return
  // Without event triggers, nothing restores the disabled ones.
  await database`drop event trigger cache_ddl`
  await database`drop event trigger cache_drop`
  await database`alter table products disable trigger user`
}

/** Sends every read once. */
async function warm({ name, server }: Target, { quick, connections }: Options, { print }: BenchContext): Promise<void> {
  const startedAt = performance.now()
  const client = new Client(server.url, connections)
  const bodies = queryNames.flatMap((query) => queryIds(query, quick).map((id) => requestBody(query, id, { withStock: true })))
  await client.postAll(bodies, (index, { status, text }) => {
    if (status !== 200) throw new Error(`${name} answers ${bodies[index]} with ${status}: ${text.slice(0, 500)}`)
  })
  client.close()
  print(`${name} is warm after ${((performance.now() - startedAt) / 1_000).toFixed(1)} s`)
}

async function measureAll(
  setup: MixedSetup,
  targets: readonly Target[],
  options: Options,
  context: BenchContext,
): Promise<MixedRun[]> {
  const runs: MixedRun[] = []
  for (let round = 1; round <= options.rounds; round += 1) {
    for (const target of targets) {
      const endStalls = setup === 'one of two stalled' ? stallWorker(target, context) : () => undefined
      const run = await measure(target, setup, round, options.seconds)
      endStalls()
      runs.push(run)
      context.print(`${setup}, round ${round} of ${options.rounds}: ${progress(run)}`)
    }
  }
  return runs
}

/** Returns the function that ends the stalls. */
function stallWorker({ name, server }: Target, { cleanups }: BenchContext): () => void {
  const [worker] = childPids(server.child.pid)
  if (worker === undefined) throw new Error(`The processes of ${name} are found in /proc, which this system does not have.`)
  const end = stallRegularly(worker)
  cleanups.push(async () => end())
  return end
}

async function measure(
  { name, server, database, load }: Target,
  setup: MixedSetup,
  round: number,
  seconds: number,
): Promise<MixedRun> {
  // In a round, all servers get the same operations in the same order.
  await load.run(2 * round, warmUpSeconds)
  const before = { selects: await countSelects(database), usage: readUsageOfAll(server.child.pid) }
  const { durationUs, readsUs, writesUs, sqlWrites, stale } = await load.run(2 * round + 1, seconds)
  const after = { selects: await countSelects(database), usage: readUsageOfAll(server.child.pid) }
  server.child.expectAlive()
  const cpuUs = before.usage && after.usage ? after.usage.cpuUs - before.usage.cpuUs : null
  const at = (sorted: Float64Array, share: number) => quantile(sorted, share)
  return {
    ...{ setup, server: name, round, reads: readsUs.length, mutations: writesUs.length, sqlWrites, stale },
    readsPerSecond: (readsUs.length * 1_000_000) / durationUs,
    ...{ p50Us: at(readsUs, 0.5), p99Us: at(readsUs, 0.99), p999Us: at(readsUs, 0.999) },
    ...{ mutationP50Us: at(writesUs, 0.5), mutationP99Us: at(writesUs, 0.99) },
    selectsPerRead: (after.selects - before.selects) / readsUs.length,
    cpuUsPerRequest: cpuUs === null ? null : cpuUs / (readsUs.length + writesUs.length),
    cpuShare: cpuUs === null ? null : cpuUs / durationUs,
    rssBytes: after.usage?.rssBytes ?? null,
  }
}

/** Number of SELECTs on the shop's tables in this database since the start */
async function countSelects(database: Database): Promise<number> {
  const [row] = await database<{ selects: number }[]>`
    select coalesce(sum(calls), 0)::bigint as selects from pg_stat_statements
    where dbid = (select oid from pg_database where datname = current_database())
      and query ~* '^\\s*(select|with)' and query ~ '\\m(users|products|orders|order_items)\\M'
      and query !~ 'cache_outbox|pg_stat_statements'`
  return row?.selects ?? 0
}

function progress({ server, readsPerSecond, p99Us, reads, stale, selectsPerRead, cpuUsPerRequest }: MixedRun): string {
  const cpu = cpuUsPerRequest === null ? '' : `, ${cpuUsPerRequest.toFixed(0)} µs CPU`
  const perMillion = (count: number) => Math.round((1e6 * count) / reads)
  const { mutation, sql } = stale
  return `${server} ${Math.round(readsPerSecond)} reads/s, p99 ${(p99Us / 1_000).toFixed(1)} ms${cpu}, ${selectsPerRead.toFixed(3)} SELECTs a read, stale a million: ${perMillion(mutation.count)} after a mutation (${mutation.oldestMs.toFixed(0)} ms), ${perMillion(sql.count)} after SQL (${sql.oldestMs.toFixed(0)} ms)`
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
