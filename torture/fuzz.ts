import 'reflect-metadata'
import process from 'node:process'
import { runCommand } from '../src/commands/run-command.js'
import { type Options, readOptions, usage } from './fuzz/options.js'
import { describeSummary, hasPassed } from './fuzz/report.js'
import { run } from './fuzz/run.js'
import { reachVerdict } from './verdict.js'

process.exitCode = await runCommand({
  usage,
  readOptions: () => readOptions(process.argv.slice(2), Date.now() % 1_000_000),
  run: judgeFuzz,
})
process.exit()

async function judgeFuzz(options: Options): Promise<number> {
  console.log(`seed ${options.seed}, ${options.only === null ? `${options.requests} requests` : `request ${options.only}`}`)
  return reachVerdict({ run: (cleanups) => run(options, cleanups), hasPassed, describe: describeSummary })
}
