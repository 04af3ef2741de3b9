import { readFileSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from '../src/platform/database/connection.js'
import { startEmbeddedPostgres } from '../src/platform/database/embedded-postgres.js'
import { migrate } from '../src/wiring/migrate.js'
import { freePort } from '../tools/free-port.js'
import { ApiProcess } from './api-process.js'
import { afterFaultMs } from './bounds.js'
import { buildApi } from './build.js'
import { CommitWatch } from './commit-watch.js'
import { FaultWindows } from './fault-windows.js'
import { Ledger } from './ledger.js'
import { RequestedPages } from './lists.js'
import type { Options } from './options.js'
import { Quiet } from './quiet.js'
import { Random } from './random.js'
import { openAddresses } from './redis-address.js'
import { RedisServer } from './redis-server.js'
import type { Summary } from './report.js'
import { openShop } from './shop.js'
import { Staleness } from './staleness.js'
import { storm } from './storm.js'
import { Tally } from './tally.js'
import type { World } from './world.js'

const roundMs = 8_000
const calmShare = 0.35
/** Minimum duration of a quiet period */
const quietMs = 2_000

/**
 * Starts the servers and processes and alternates storms and quiet periods for `options.seconds`. The caller must run `cleanups`
 * in reverse order, also after a failure.
 */
export async function run(
  options: Options,
  print: (line: string) => void,
  cleanups: (() => Promise<unknown>)[],
): Promise<Summary> {
  const world = await createWorld(options, print, cleanups)
  const quiet = new Quiet(world)
  const startedAt = world.now()
  const leftMs = () => options.seconds * 1_000 - (world.now() - startedAt)
  for (let round = 1; round === 1 || leftMs() > quietMs + 2_000; round += 1) {
    const activeMs = Math.min(roundMs, Math.max(3_000, leftMs() - quietMs))
    await storm(world, round, { calmMs: activeMs * calmShare, faultMs: activeMs * (1 - calmShare) })
    await quiet.compare()
    print(progress(round, world, quiet))
  }
  return { ...world, quiet: quiet.summary, stale: world.staleness.summary, commitsMs: world.commits.durationsMs }
}

function progress(round: number, world: World, quiet: Quiet): string {
  const { operations, faults, staleness, failures } = world
  const counts = `${operations.total} operations, ${faults.total} faults, ${failures.total} failed`
  return `round ${round}: ${counts}, ${staleness.summary.olderOutsideBound} older outside the bound, ${staleness.summary.olderThanMutation} than an answered mutation, ${quiet.summary.differing} of ${quiet.summary.compared} differ`
}

async function createWorld(
  options: Options,
  print: (line: string) => void,
  cleanups: (() => Promise<unknown>)[],
): Promise<World> {
  const now = () => performance.now()
  const folder = await mkdtemp(join(tmpdir(), 'torture-'))
  // Postgres does not run as root and needs access to the folder.
  await chmod(folder, 0o755)
  cleanups.push(() => rm(folder, { recursive: true, force: true }))
  const build = await buildApi()
  cleanups.push(build.remove)

  const postgres = await startEmbeddedPostgres({ dataDirectory: folder, log: () => {} })
  cleanups.push(() => postgres.stop())
  const database = connect({ url: postgres.url, maxConnections: 12, statementTimeoutMs: 20_000, connectTimeoutMs: 10_000 })
  cleanups.push(() => database.end({ timeout: 1 }))
  await migrate(database)
  const ledger = new Ledger()
  await openShop(database, ledger)

  const servers =
    options.store === 'redis' ? [await startRedis(folder, 'redis', cleanups), await startRedis(folder, 'other', cleanups)] : []
  const addresses = servers[0] ? await openAddresses(build.entryOf('redis-proxies'), options.processes, servers[0]) : undefined
  if (addresses) cleanups.push(addresses.close)

  const env = {
    ...{ DATABASE_URL: postgres.url, DEMO_DATA: 'false', LOG_LEVEL: 'warn' },
    TORTURE_PROTECTION: options.protection,
  }
  const faultWindows = new FaultWindows(afterFaultMs)
  const [failures, stalls] = [new Tally(), new Tally()]
  const apis: ApiProcess[] = []
  for (let number = 1; number <= options.processes; number += 1) {
    const [port, logFile] = [await freePort(), join(folder, `api-${number}.log`)]
    const name = `api ${number}`
    const address = addresses?.addresses[number - 1] ?? null
    const onStall = (ms: number) => {
      stalls.add(name)
      faultWindows.addStall(`a stall of ${name}`, now(), ms)
    }
    const onUnexpectedExit = (reason: string) => {
      failures.add('a process ended unexpectedly')
      print(`ENDED UNEXPECTEDLY: ${name}, ${reason}. The end of its log:\n${readFileSync(logFile, 'utf8').slice(-2_000)}`)
    }
    const api = new ApiProcess({ name, entry: build.entryOf('api'), port, env, address, logFile, now, onStall, onUnexpectedExit })
    cleanups.push(() => api.kill())
    apis.push(api)
  }
  await Promise.all(apis.map((api) => api.start()))

  return {
    ...{ options, now, print, apis, servers, database, ledger, faultWindows },
    addressesAreMoving: false,
    productIsLocked: false,
    random: (name) => new Random(options.seed, name),
    staleness: new Staleness(ledger, faultWindows, print),
    pages: new RequestedPages(),
    // Without a relay no row would ever be delivered.
    commits: new CommitWatch(database, now, options.protection === 'full' ? 2 : 0),
    requestsMs: [],
    operations: new Tally(),
    faults: new Tally(),
    failures,
    stalls,
    expectedFailures: new Tally(),
    ownWrites: { checked: 0, violations: 0 },
    readElsewhere: 0,
  }
}

async function startRedis(folder: string, name: string, cleanups: (() => Promise<unknown>)[]): Promise<RedisServer> {
  const own = join(folder, name)
  await mkdir(own)
  const server = new RedisServer(await freePort(), own)
  cleanups.push(() => server.stop())
  await server.start()
  return server
}
