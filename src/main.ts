import 'reflect-metadata'
import { startApp } from './app.js'
import { ConfigError, readConfig } from './config.js'

let starting: ReturnType<typeof startApp> | undefined
// First of all: a start that is interrupted has to end what it has begun.
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, stop)
try {
  starting = startApp(readConfig(process.env))
  const { url } = await starting
  process.stdout.write(`\nReady: open ${url}\n\n`)
} catch (error) {
  fail(error)
}

function stop(signal: NodeJS.Signals): void {
  process.stdout.write(`${signal}: finishing what is in flight\n`)
  setTimeout(() => fail(new Error('Not everything ended in time')), 9_500).unref()
  const stopped = starting?.then((app) => app.stop()) ?? Promise.resolve()
  stopped.then(() => process.exit(0), fail)
}

function fail(error: unknown): never {
  process.stderr.write(`${describe(error)}\n`)
  process.exit(1)
}

/** What an operator can mend (a bad setting, a port in use) needs no stack. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error instanceof ConfigError || 'code' in error ? error.message : String(error.stack)
}
