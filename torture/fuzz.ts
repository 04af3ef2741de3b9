import 'reflect-metadata'
import process from 'node:process'
import { type Options, readOptions, usage } from './fuzz/options.js'
import { describeSummary, hasPassed } from './fuzz/report.js'
import { run } from './fuzz/run.js'
import { reachVerdict } from './verdict.js'

process.exitCode = await main(process.argv.slice(2))
process.exit()

async function main(args: string[]): Promise<number> {
  let options: Options
  try {
    options = readOptions(args, Date.now() % 1_000_000)
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${usage}`)
    return 1
  }
  console.log(`seed ${options.seed}, ${options.only === null ? `${options.requests} requests` : `request ${options.only}`}`)
  return reachVerdict({ run: (stops) => run(options, stops), hasPassed, describe: describeSummary })
}
