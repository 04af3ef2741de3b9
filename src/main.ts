import 'reflect-metadata'
import { startApp } from './app.js'
import { ConfigError, readConfig } from './config.js'

try {
  const app = await startApp(readConfig(process.env))
  process.stdout.write(`\nReady: open ${app.url}\n\n`)
  const stop = (signal: NodeJS.Signals) => {
    process.stdout.write(`${signal}: finishing what is in flight\n`)
    setTimeout(() => fail(new Error('Not everything ended in time')), 9_500).unref()
    app.stop().then(() => process.exit(0), fail)
  }
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, stop)
} catch (error) {
  fail(error)
}

function fail(error: unknown): never {
  process.stderr.write(`${error instanceof ConfigError ? error.message : error instanceof Error ? error.stack : String(error)}\n`)
  process.exit(1)
}
