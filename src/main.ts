import 'reflect-metadata'
import { readEnvironment } from './config/environment.js'
import { type Config, ConfigError, readConfig } from './config.js'
import { createLogger } from './platform/log/logger.js'
import { createRedactor, secretsOf } from './platform/log/secrets.js'
import { findPrimary } from './platform/workers/primary.js'
import { Workers, WorkersError } from './platform/workers/workers.js'

interface Running {
  /** Of the GraphQL endpoint */
  url: Promise<string>
  stop(): Promise<void>
}

/** Far more than the worst request takes of an event loop */
const silentSeconds = 30
let running: Running | undefined
let patienceMs = 9_500
let redact = createRedactor([])
// First of all: a start that is interrupted has to end what it has begun.
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, onSignal)
// A log that nobody reads, or whose disk is full, is no reason to end.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined)
// What is in flight, and a database of its own, are to end in order all the same.
process.on('uncaughtException', (error) => {
  process.stderr.write(redact(`${describe(error)}\n`))
  stop(1)
})
// graphql-js forgets loads that fail beside a field that has failed already; that is no reason to end for everybody.
process.on('unhandledRejection', (error) => process.stderr.write(redact(`Nobody waited for what failed: ${describe(error)}\n`)))
const primary = findPrimary(() => stop(0))
try {
  const config = readConfig(readEnvironment())
  patienceMs += config.SHUTDOWN_DELAY_MS
  redact = createRedactor(secretsOf(config))
  running = run(config)
  const url = await running.url
  if (primary) primary.announce(url)
  else process.stdout.write(`\nReady: open ${url}\n\n`)
} catch (error) {
  fail(error)
}

function run(config: Config): Running {
  return config.WORKERS > 1 && !primary ? runWorkers(config) : runApp(config)
}

function runWorkers(config: Config): Running {
  const logger = createLogger(config)
  const { WORKERS: count, SHUTDOWN_DELAY_MS: delayMs } = config
  const workers = new Workers({ count, delayMs, silentSeconds, log: (message) => logger.warn(message) })
  return { url: workers.start(), stop: () => workers.stop() }
}

function runApp(config: Config): Running {
  // A primary has no use for it.
  const app = import('./app.js').then(({ startApp }) => startApp(config, { siblings: primary?.siblings ?? null }))
  return { url: app.then(({ url }) => url), stop: () => app.then((its) => its.stop()) }
}

function onSignal(signal: NodeJS.Signals): void {
  if (!primary) process.stdout.write(`${signal}: finishing what is in flight\n`)
  stop(0)
}

function stop(code: number): void {
  setTimeout(() => fail(new Error('Not everything ended in time')), patienceMs).unref()
  const stopped = running?.stop() ?? Promise.resolve()
  stopped.then(() => process.exit(code), fail)
}

function fail(error: unknown): never {
  process.stderr.write(redact(`${describe(error)}\n`))
  process.exit(1)
}

/** What an operator can mend (a bad setting, a port in use) needs no stack. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const mendable = error instanceof ConfigError || error instanceof WorkersError || 'code' in error
  return mendable ? error.message : String(error.stack)
}
