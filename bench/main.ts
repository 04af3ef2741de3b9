import 'reflect-metadata'
import process from 'node:process'
import { runCommand } from '../src/commands/run-command.js'
import { cold } from './commands/cold.js'
import { compare, estimateSeconds } from './commands/compare.js'
import { cost } from './commands/cost.js'
import { invalidation } from './commands/invalidation.js'
import { lists } from './commands/lists.js'
import { memory } from './commands/memory.js'
import { estimateMixedSeconds, mixed } from './commands/mixed.js'
import { start } from './commands/start.js'
import { writes } from './commands/writes.js'
import { type BenchContext, CleanupStack } from './harness/context.js'
import { Interrupted, interruption } from './harness/interruption.js'
import { type CommandName, type Options, readOptions, usage } from './options.js'

interface Command {
  run: (options: Options, context: BenchContext) => Promise<string>
  seconds: (options: Options) => number
}

const commands: Record<CommandName, Command> = {
  compare: { run: compare, seconds: estimateSeconds },
  cold: { run: cold, seconds: ({ quick }) => (quick ? 20 : 90) },
  invalidation: { run: invalidation, seconds: ({ quick }) => (quick ? 10 : 90) },
  memory: { run: memory, seconds: ({ quick }) => (quick ? 10 : 90) },
  lists: { run: lists, seconds: ({ quick }) => (quick ? 30 : 180) },
  mixed: { run: mixed, seconds: estimateMixedSeconds },
  cost: { run: cost, seconds: ({ quick }) => (quick ? 20 : 60) },
  start: { run: start, seconds: () => 20 },
  writes: { run: writes, seconds: ({ quick, against }) => (quick ? 20 : 60) * (against === undefined ? 1 : 2) },
}

/** Added to the time limit for the installation of packages; the limit is three times the estimate, for slow machines */
const installSeconds = 600
const startedAt = Date.now()
process.exitCode = await runCommand({ usage, readOptions: () => readOptions(process.argv.slice(2)), run: bench })
// Kept-alive connections would keep the process running.
process.exit()

async function bench(options: Options): Promise<number> {
  const { run, seconds } = commands[options.command]
  const context: BenchContext = { print, cleanups: new CleanupStack() }
  const estimate = seconds(options)
  print(`${options.command}: takes about ${estimate < 100 ? `${Math.ceil(estimate)} s` : `${Math.ceil(estimate / 60)} minutes`}`)
  try {
    const text = await Promise.race([run(options, context), interruption((3 * estimate + installSeconds) * 1_000)])
    console.log(`\n${text}\n`)
    return 0
  } catch (error) {
    // A plain Error was thrown deliberately and needs no stack trace.
    console.error(
      error instanceof Error && error.constructor !== Error && !(error instanceof Interrupted)
        ? error.stack
        : String((error as Error).message),
    )
    return 1
  } finally {
    await context.cleanups.stop()
  }
}

function print(line: string): void {
  console.log(`${((Date.now() - startedAt) / 1000).toFixed(1).padStart(6)} s  ${line}`)
}
