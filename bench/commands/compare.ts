import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Random } from '../../torture/random.js'
import { checkAnswers, drawSamples } from '../harness/check.js'
import { Client } from '../harness/client.js'
import type { BenchContext } from '../harness/context.js'
import { type Cores, divideCores } from '../harness/cores.js'
import { buildProject, buildServers, expectRedisServer } from '../harness/prepare.js'
import { type QueryName, queryIds, queryNames, requestBody } from '../harness/queries.js'
import { type ServerName, serverNames } from '../harness/server-names.js'
import { type RunningServer, serverFlags, startServer } from '../harness/servers.js'
import { openShop, scratchFolder } from '../harness/shop.js'
import { readUsage } from '../harness/usage.js'
import { generatorName, load } from '../load/generator.js'
import type { Options } from '../options.js'
import type { Comparison, Run } from '../report/results.js'
import { writeSection } from '../report/write.js'

/** Load before each timed run, to warm up again what cooled down while other servers were measured */
const warmUpSeconds = 3
const samplesPerQuery = 100

export function estimateSeconds({ servers, queries, rounds, seconds, quick }: Options): number {
  const timed = servers.length * queries.length * rounds * (seconds + warmUpSeconds + 0.3)
  const warming = servers.length * (quick ? 2 : 15)
  return 20 + warming + timed
}

/** Starts all servers, checks that they give equal answers, and measures them in turn. */
export async function compare(options: Options, context: BenchContext): Promise<string> {
  expectRedisServer()
  await buildProject(context)
  await buildServers(context)
  const cores = divideCores()
  const shop = await openShop(context)
  const bodiesFiles = await writeBodies(context, options)
  const servers = await startServers(options, context, shop, cores)

  const samples = await drawSamples(shop.database, new Random(1, 'samples'), options.queries, {
    count: samplesPerQuery,
    quick: options.quick,
  })
  // Twice: the first time the answers come from Postgres, the second time from the cache.
  for (const server of [...servers, ...servers]) await checkAnswers(server, samples)
  context.print(`all ${servers.length} servers give equal answers, ${samples.length} samples`)
  const runs = await timeAll(options, context, servers, bodiesFiles)
  for (const server of servers) await checkAnswers(server, samples)
  const { rounds, seconds, connections } = options
  const flags = Object.fromEntries(options.servers.map((name) => [name, serverFlags(name, options.sameFlags).join(' ')]))
  const content: Comparison = { rounds, seconds, connections, generator: generatorName, cores: cores.description, flags, runs }
  const partial = options.servers.length < serverNames.length || options.queries.length < queryNames.length || options.sameFlags
  return writeSection('compare', content, { quick: options.quick, partial })
}

async function startServers(
  { servers, sameFlags }: Options,
  context: BenchContext,
  shop: Awaited<ReturnType<typeof openShop>>,
  { serverPrefix }: Cores,
): Promise<RunningServer[]> {
  context.print(`starting ${servers.join(', ')}`)
  const started: RunningServer[] = []
  for (const name of servers) {
    const redisDatabase = serverNames.indexOf(name)
    started.push(await startServer(context, name, { shop, prefix: serverPrefix, sameFlags, redisDatabase }))
  }
  return started
}

/** Writes a file with all request bodies for each query. */
async function writeBodies(context: BenchContext, { queries, quick }: Options): Promise<Record<QueryName, string>> {
  const folder = await scratchFolder(context)
  const files = queries.map((query) => [query, join(folder, `${query}.jsonl`)] as const)
  for (const [query, file] of files)
    await writeFile(
      file,
      `${queryIds(query, quick)
        .map((id) => requestBody(query, id))
        .join('\n')}\n`,
    )
  return Object.fromEntries(files) as Record<QueryName, string>
}

/** Sends every request once, because entries may have become stale during the runs of another query. */
async function warm(
  { name, url }: RunningServer,
  query: QueryName,
  { quick, connections }: Options,
  { print }: BenchContext,
): Promise<void> {
  const startedAt = performance.now()
  const client = new Client(url, connections)
  const bodies = queryIds(query, quick).map((id) => requestBody(query, id))
  await client.postAll(bodies, (index, { status, text }) => {
    if (status !== 200) throw new Error(`${name} answers ${bodies[index]} with ${status}: ${text.slice(0, 500)}`)
  })
  client.close()
  print(`${name} is warm for ${query} after ${((performance.now() - startedAt) / 1000).toFixed(1)} s`)
}

async function timeAll(
  options: Options,
  context: BenchContext,
  servers: readonly RunningServer[],
  bodiesFiles: Record<QueryName, string>,
): Promise<Run[]> {
  const runs: Run[] = []
  for (const query of options.queries) {
    for (const server of servers) await warm(server, query, options, context)
    for (let round = 1; round <= options.rounds; round += 1) {
      for (const server of servers) {
        const run = await time(server, options, context, { query, round, bodiesFile: bodiesFiles[query] })
        runs.push(run)
        context.print(`${query} round ${round} of ${options.rounds}: ${progress(run, runs)}`)
      }
    }
  }
  return runs
}

async function time(
  { name, url, child }: RunningServer,
  { connections, seconds }: Options,
  { cleanups }: BenchContext,
  { query, round, bodiesFile }: { query: QueryName; round: number; bodiesFile: string },
): Promise<Run> {
  // In a round, all servers get the same ids in the same order.
  const settings = { url, connections, bodiesFile, seed: round }
  await load(cleanups, { ...settings, seconds: warmUpSeconds })
  const before = readUsage(child.pid)
  const { requests, durationUs, p50Us, p99Us } = await load(cleanups, { ...settings, seconds })
  const after = readUsage(child.pid)
  child.expectAlive()
  const cpuUs = before && after ? after.cpuUs - before.cpuUs : null
  return {
    ...{ query, server: name as ServerName, round, p50Us, p99Us },
    requestsPerSecond: (requests * 1_000_000) / durationUs,
    cpuUsPerRequest: cpuUs === null ? null : cpuUs / requests,
    cpuShare: cpuUs === null ? null : cpuUs / durationUs,
    rssBytes: after?.rssBytes ?? null,
  }
}

function progress({ server, query, round, requestsPerSecond, cpuUsPerRequest }: Run, runs: readonly Run[]): string {
  const limit = runs.find((run) => run.server === 'limit' && run.query === query && run.round === round)
  const ratio = limit ? `, ${(requestsPerSecond / limit.requestsPerSecond).toFixed(3)} of limit` : ''
  const cpu = cpuUsPerRequest === null ? '' : `, ${cpuUsPerRequest.toFixed(0)} µs CPU`
  return `${server} ${Math.round(requestsPerSecond)} requests/s${cpu}${ratio}`
}
