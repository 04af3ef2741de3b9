import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { connect } from '../src/database/connection.js'
import { loadDemoDataOnce } from '../src/database/demo-data.js'
import { startEmbeddedPostgres } from '../src/database/embedded-postgres.js'
import { migrate } from '../src/database/migrate.js'
import { freePort } from './free-port.js'
import { wholeNumber } from './options.js'
import { RedisServer } from './redis-server.js'
import { hasRolledWell, rollingTable } from './rolling/report.js'
import { type Rolled, roll } from './rolling/roll.js'

// npm run rolling: processes are restarted in turn under load; what do readers and writers notice?

const usage = 'Usage: npm run rolling -- [--seconds 30] [--processes 2] [--delay 1000, milliseconds between SIGTERM and the end]'

process.exitCode = await main(process.argv.slice(2))

async function main(args: string[]): Promise<number> {
  try {
    const options = readOptions(args)
    const rolled = await rollFor(options)
    console.log(`\n${rollingTable(rolled)}`)
    return hasRolledWell(rolled) ? 0 : 1
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${usage}`)
    return 1
  }
}

function readOptions(args: string[]) {
  const text = { type: 'string' } as const
  const { values } = parseArgs({ args, options: { seconds: text, processes: text, delay: text } })
  return {
    seconds: wholeNumber('seconds', values.seconds ?? '30', 1, 86_400),
    processes: wholeNumber('processes', values.processes ?? '2', 2, 8),
    delayMs: wholeNumber('delay', values.delay ?? '1000', 0, 60_000),
  }
}

async function rollFor({ seconds, processes, delayMs }: ReturnType<typeof readOptions>): Promise<Rolled> {
  const folder = await mkdtemp(join(tmpdir(), 'shop-rolling-'))
  await chmod(folder, 0o755)
  const postgres = await startEmbeddedPostgres({ dataDirectory: folder, log: () => {} })
  const database = connect({ url: postgres.url, maxConnections: 1, statementTimeoutMs: 5_000, connectTimeoutMs: 5_000 })
  const redis = new RedisServer(await freePort(), folder)
  const interrupted = interruption()
  try {
    await redis.start()
    await migrate(database)
    await loadDemoDataOnce(database)
    const until = performance.now() + seconds * 1_000
    return await roll({
      ...{ databaseUrl: postgres.url, database, redisUrl: redis.url, processes, delayMs },
      goOn: () => performance.now() < until && !interrupted.aborted,
      onRestart: (port, tookMs) => console.log(`the process on port ${port} is ready again after ${Math.round(tookMs)} ms`),
    })
  } finally {
    await redis.stop()
    await database.end()
    await postgres.stop()
    await rm(folder, { recursive: true, force: true })
  }
}

/** The round that has begun is finished. */
function interruption(): AbortSignal {
  const controller = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => controller.abort())
  return controller.signal
}
