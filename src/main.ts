import 'reflect-metadata'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { readEnvironment } from './config/environment.js'
import { type Config, ConfigError, ignoredSettings, readConfig } from './config.js'
import { createLogger, isPretty } from './platform/log/logger.js'
import { createRedactor, secretsOf } from './platform/log/secrets.js'
import { connectToPrimary } from './platform/workers/primary.js'
import { Workers, WorkersError } from './platform/workers/workers.js'
import { usage } from './usage.js'
import { checkListenAddress } from './wiring/listen-address.js'
import { readyLine, startSummary } from './wiring/start-summary.js'

interface Running {
  /** URL of the GraphQL endpoint */
  url: Promise<string>
  stop(): Promise<void>
}

printUsageIfAsked()

/** This is far longer than any request can block the event loop. */
const heartbeatTimeoutSeconds = 30
let running: Running | undefined
let shutdownTimeoutMs = 9_500
let redact = createRedactor([])
let report = (line: string): void => {
  process.stdout.write(`${line}\n`)
}
let isStopping = false
// The listeners are registered before anything starts, so that a signal during the start stops the resources that were already
// started. SIGINT may arrive twice after Ctrl+C, once from the terminal and once from npm. SIGHUP arrives when the terminal is
// closed.
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, onSignal)
// A closed log pipe or a full disk must not end the process.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined)
// After an uncaught exception, the process still finishes the requests in flight and stops the embedded database properly.
process.on('uncaughtException', (error) => {
  process.stderr.write(redact(`${describe(error)}\n`))
  stop(1)
})
// If one field fails, graphql-js ignores the promises of the sibling fields. If such a promise also rejects, the process must not
// end.
process.on('unhandledRejection', (error) => process.stderr.write(redact(`Unhandled promise rejection: ${describe(error)}\n`)))
const primary = connectToPrimary(() => stop(0))
try {
  const environment = readEnvironment()
  const config = readConfig(environment)
  shutdownTimeoutMs += config.SHUTDOWN_DELAY_MS
  redact = createRedactor(secretsOf(config))
  if (!isPretty(config)) report = reportAsJson(config)
  if (!primary) {
    for (const warning of ignoredSettings(environment)) createLogger(config).warn(warning)
    await checkListenAddress(config)
  }
  running = run(config)
  const url = await running.url
  if (primary) primary.reportReady(url)
  else report(isPretty(config) ? `\n${readyLine(config, url)}\n${startSummary(config, url)}` : readyLine(config, url))
} catch (error) {
  // A start that was interrupted by a signal fails, and stop() ends the process.
  if (!isStopping) fail(error)
}

function printUsageIfAsked(): void {
  try {
    if (!parseArgs({ options: { help: { type: 'boolean' } } }).values.help) return
    process.stdout.write(usage)
    process.exit(0)
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${usage}`)
    process.exit(2)
  }
}

/** These lines are written whatever LOG_LEVEL is. Programs that read the log get JSON only. */
function reportAsJson(config: Config): (line: string) => void {
  const logger = createLogger({ ...config, LOG_LEVEL: 'info' })
  return (line) => logger.info(line)
}

function run(config: Config): Running {
  return config.WORKERS > 1 && !primary ? runWorkers(config) : runApp(config)
}

function runWorkers(config: Config): Running {
  const logger = createLogger(config)
  const { WORKERS: count, SHUTDOWN_DELAY_MS: shutdownDelayMs } = config
  const workers = new Workers({ count, shutdownDelayMs, heartbeatTimeoutSeconds, log: (message) => logger.warn(message) })
  return { url: workers.start(), stop: () => workers.stop() }
}

function runApp(config: Config): Running {
  // Imported dynamically, because a primary with workers does not need the module.
  const stopping = new AbortController()
  const observers = { siblings: primary?.siblings ?? null, stopping: stopping.signal }
  const app = import('./app.js').then(({ startApp }) => startApp(config, observers))
  const stop = async () => {
    stopping.abort(new Error('stopped during the start'))
    // If the start has failed, everything that it had started is already stopped.
    const started = await app.catch(() => undefined)
    await started?.stop()
  }
  return { url: app.then(({ url }) => url), stop }
}

function onSignal(signal: NodeJS.Signals): void {
  if (isStopping) return
  if (!primary) report(`${signal}: finishing requests in flight`)
  stop(0)
}

function stop(code: number): void {
  isStopping = true
  setTimeout(() => fail(new Error('The shutdown did not complete in time')), shutdownTimeoutMs).unref()
  const stopped = running?.stop() ?? Promise.resolve()
  stopped.then(() => process.exit(code), fail)
}

function fail(error: unknown): never {
  process.stderr.write(redact(`${describe(error)}\n`))
  process.exit(1)
}

/**
 * Returns only the message of an error that an operator can fix, such as a bad setting or a port in use. Returns the stack of
 * others.
 */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const isOperational = error instanceof ConfigError || error instanceof WorkersError || 'code' in error
  return isOperational ? error.message : String(error.stack)
}
