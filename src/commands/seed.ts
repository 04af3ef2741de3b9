import process from 'node:process'
import { parseArgs } from 'node:util'
import { Presets, SingleBar } from 'cli-progress'
import { readEnvironment } from '../config/environment.js'
import { readConfig } from '../config.js'
import { connect, type Database } from '../platform/database/connection.js'
import { type DemoCounts, loadDemoData } from '../platform/database/demo-data.js'
import { startPostgresIn } from '../wiring/database.js'
import { migrate } from '../wiring/migrate.js'

const usage = `Usage: npm run seed -- --users N --products N --orders N
Adds the given numbers of rows (whole numbers, at least one of the three) to DATABASE_URL, or if that is not set, to the Postgres in DATA_DIR (.data).`

const exitCodes = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 }

class Interrupted extends Error {
  constructor(readonly signal: keyof typeof exitCodes) {
    super(`Stopped by ${signal}: the rows added so far are kept`)
  }
}

process.exitCode = await main(process.argv.slice(2))

async function main(args: string[]): Promise<number> {
  const parsed = readCounts(args)
  if (parsed.state === 'help') {
    console.log(usage)
    return 0
  }
  if (parsed.state === 'invalid') {
    console.error(`${parsed.reason}\n\n${usage}`)
    return 2
  }
  try {
    await seed(parsed.counts)
    return 0
  } catch (error) {
    console.error((error as Error).message)
    return error instanceof Interrupted ? exitCodes[error.signal] : 1
  }
}

function readCounts(
  args: string[],
): { state: 'valid'; counts: DemoCounts } | { state: 'invalid'; reason: string } | { state: 'help' } {
  const option = { type: 'string' } as const
  try {
    const flag = { type: 'boolean' } as const
    const { values } = parseArgs({ args, options: { users: option, products: option, orders: option, help: flag } })
    if (values.help) return { state: 'help' }
    if (Object.keys(values).length === 0) return { state: 'invalid', reason: 'No number of rows given.' }
    const { users = '0', products = '0', orders = '0' } = values
    return {
      state: 'valid',
      counts: { users: count('users', users), products: count('products', products), orders: count('orders', orders) },
    }
  } catch (error) {
    return { state: 'invalid', reason: parseProblem(error as NodeJS.ErrnoException) }
  }
}

/** Replaces Node's message for "--users" and "--users -5", which is long and does not mention numbers. */
function parseProblem({ code, message }: NodeJS.ErrnoException): string {
  return code === 'ERR_PARSE_ARGS_INVALID_OPTION_VALUE' ? 'Every option takes a whole number from 0.' : message
}

function count(flag: string, text: string): number {
  if (!/^\d{1,12}$/.test(text)) throw new Error(`--${flag} takes a whole number from 0, not "${text}".`)
  return Number(text)
}

async function seed(counts: DemoCounts): Promise<void> {
  const interrupted = interruption()
  const postgres = await findPostgres()
  const database = connect({ url: postgres.url, maxConnections: 2, statementTimeoutMs: 0, connectTimeoutMs: 10_000 })
  try {
    const startedAt = performance.now()
    await Promise.race([interrupted, migrate(database).then(() => loadWithProgress(database, counts))])
    console.log(`Added ${summary(counts)} in ${((performance.now() - startedAt) / 1000).toFixed(1)} s`)
  } finally {
    // end() rejects if the server has already stopped. The embedded server must be stopped in any case.
    await database.end({ timeout: 0 }).catch(() => undefined)
    await postgres.stop()
  }
}

/** Returns a promise that rejects at the first signal. The rejection is never reported as unhandled. */
function interruption(): Promise<never> {
  const interrupted = new Promise<never>((_resolve, reject) => {
    for (const signal of ['SIGHUP', 'SIGINT', 'SIGTERM'] as const) process.on(signal, () => reject(new Interrupted(signal)))
  })
  interrupted.catch(() => undefined)
  return interrupted
}

async function findPostgres(): Promise<{ url: string; stop(): Promise<void> }> {
  const { DATABASE_URL, DATA_DIR } = readConfig(readEnvironment())
  if (DATABASE_URL !== undefined) return { url: DATABASE_URL, stop: async () => undefined }
  return startPostgresIn({ dataDirectory: DATA_DIR, log: console.log })
}

async function loadWithProgress(database: Database, counts: DemoCounts): Promise<void> {
  const progress = process.stdout.isTTY ? progressBar() : logTenths()
  try {
    await loadDemoData(database, counts, progress.update)
  } finally {
    progress.end()
  }
}

interface Progress {
  update(done: number, total: number): void
  end(): void
}

function progressBar(): Progress {
  const bar = new SingleBar(
    { format: '{bar} {percentage} %  {value} of {total} rows  {eta_formatted} left' },
    Presets.shades_classic,
  )
  return {
    update(done, total) {
      if (!bar.isActive) bar.start(total, 0)
      bar.update(done)
    },
    end: () => bar.stop(),
  }
}

function logTenths(): Progress {
  let reported = 0
  return {
    update(done, total) {
      const tenths = Math.floor((10 * done) / total)
      if (tenths > reported) console.log(`${done} of ${total} rows`)
      reported = tenths
    },
    end: () => undefined,
  }
}

function summary({ users, products, orders }: DemoCounts): string {
  const [a, b, c] = [users, products, orders].map((number) => number.toLocaleString('en'))
  return `${a} users, ${b} products and ${c} orders`
}
