import 'reflect-metadata'
import process from 'node:process'
import { runCommand } from '../src/commands/run-command.js'
import { type Options, readOptions, usage } from './options.js'
import { hasPassed, table } from './report.js'
import { run } from './run.js'
import { reachVerdict } from './verdict.js'

/** How much longer than --seconds the start, the last round and the stop may take */
const extraMs = 120_000
const startedAt = Date.now()

process.exitCode = await runCommand({
  usage,
  readOptions: () => readOptions(process.argv.slice(2), startedAt % 1_000_000),
  run: judgeTorture,
})
// Kept-alive connections would keep the process running.
process.exit()

async function judgeTorture(options: Options): Promise<number> {
  const { seed, protection, store, seconds, processes } = options
  console.log(`seed ${seed}, protection ${protection}, store ${store}, ${seconds} s, ${processes} processes`)
  const limitMs = seconds * 1_000 + extraMs
  return reachVerdict({ run: (cleanups) => run(options, print, cleanups), hasPassed, describe: table, limitMs })
}

function print(line: string): void {
  console.log(`${((Date.now() - startedAt) / 1000).toFixed(1).padStart(6)} s  ${line}`)
}
