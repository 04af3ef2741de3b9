import 'reflect-metadata'
import process from 'node:process'
import { type Options, readOptions, usage } from './options.js'
import { hasPassed, table } from './report.js'
import { run } from './run.js'

/** What starting, the last round and stopping may take beyond the time asked for */
const extraMs = 120_000
const startedAt = Date.now()

process.exitCode = await main(process.argv.slice(2))
// Connections that were kept alive would keep the process.
process.exit()

async function main(args: string[]): Promise<number> {
  let options: Options
  try {
    options = readOptions(args, startedAt % 1_000_000)
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${usage}`)
    return 1
  }
  console.log(`seed ${options.seed}, protection ${options.protection}, ${options.seconds} s, ${options.processes} processes`)
  return torture(options)
}

async function torture(options: Options): Promise<number> {
  const stops: (() => Promise<unknown>)[] = []
  try {
    const summary = await Promise.race([run(options, print, stops), interruption(options)])
    const passed = hasPassed(summary)
    console.log(`\n${table(summary)}\n${passed ? 'PASS' : 'FAIL'}`)
    return passed ? 0 : 1
  } catch (error) {
    console.log(`${(error as Error).stack}\nFAIL`)
    return 1
  } finally {
    for (const stop of stops.reverse()) await stop().catch((error) => console.error(error))
  }
}

/** Rejects at a signal, and when it takes far too long. */
function interruption({ seconds }: Options): Promise<never> {
  return new Promise((_, reject) => {
    setTimeout(() => reject(new Error('It did not end in time')), seconds * 1_000 + extraMs).unref()
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => reject(new Error(signal)))
  })
}

function print(line: string): void {
  console.log(`${((Date.now() - startedAt) / 1000).toFixed(1).padStart(6)} s  ${line}`)
}
