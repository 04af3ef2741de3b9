import 'reflect-metadata'
import process from 'node:process'
import { type Options, readOptions, usage } from './fuzz/options.js'
import { describeSummary, hasPassed } from './fuzz/report.js'
import { run } from './fuzz/run.js'

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
  return fuzz(options)
}

async function fuzz(options: Options): Promise<number> {
  const stops: (() => Promise<unknown>)[] = []
  try {
    const summary = await Promise.race([run(options, stops), interruption()])
    const passed = hasPassed(summary)
    console.log(`\n${describeSummary(summary)}\n${passed ? 'PASS' : 'FAIL'}`)
    return passed ? 0 : 1
  } catch (error) {
    console.log(`${(error as Error).stack}\nFAIL`)
    return 1
  } finally {
    for (const stop of stops.reverse()) await stop().catch((error) => console.error(error))
  }
}

function interruption(): Promise<never> {
  return new Promise((_, reject) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => reject(new Error(signal)))
  })
}
