import process from 'node:process'
import { runCommand } from '../src/commands/run-command.js'
import { killMutants } from './kill-mutants.js'
import { type Options, readOptions, usage } from './options.js'
import { replay } from './replay.js'
import { runSchedules, runSmallWorld } from './schedules.js'

process.exitCode = await runCommand({ usage, readOptions: () => readOptions(process.argv.slice(2)), run: simulate })

async function simulate(options: Options): Promise<number> {
  const replayed = { ...options, ...(options.smallWorld && { profiles: 'small world' as const }) }
  if (options.replay !== undefined) return (await replay(options.replay, replayed, console.log)) ? 1 : 0

  let hasPassed = true
  if (options.schedules > 0) {
    const run = options.smallWorld ? runSmallWorld : runSchedules
    const [first] = await run(options, console.log)
    if (first) {
      hasPassed = false
      await replay(first.seed, replayed, console.log)
    }
  }
  if (options.mutants) hasPassed = (await killMutants(options, console.log)) && hasPassed
  return hasPassed ? 0 : 1
}
