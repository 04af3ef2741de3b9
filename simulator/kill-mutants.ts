import { bundle } from './bundle.js'
import { type Mutant, mutants } from './mutants.js'
import type { Options } from './options.js'
import { onAllCores, SimulationWorker } from './workers.js'
import type { Failure, Outcome } from './world/serve.js'

/** Switches every guard off in turn, or the one that was named, until a schedule fails that the engine passes as it is. Answers whether each was found. */
export async function killMutants(options: Options, print: (line: string) => void): Promise<boolean> {
  const unchanged = await bundle()
  const tried = options.mutant ? [options.mutant] : mutants
  const survivors: string[] = []
  const startedAt = performance.now()
  await onAllCores(tried, async (mutant) => {
    const began = performance.now()
    const { killer, schedules } = await findKiller(mutant, unchanged, options)
    const took = `${schedules} schedules, ${((performance.now() - began) / 1000).toFixed(1)} s`
    if (killer) {
      print(`  ${mutant.name.padEnd(38)}found by seed ${killer.seed}: ${killer.kinds[0]} (${took})`)
    } else {
      print(`  ${mutant.name.padEnd(38)}NOT FOUND (${took})`)
      survivors.push(mutant.name)
    }
  })
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
  print(`${tried.length - survivors.length} of ${tried.length} mutants found in ${seconds} s`)
  return survivors.length === 0
}

interface Search {
  killer: Failure | undefined
  schedules: number
}

async function findKiller(mutant: Mutant, unchanged: string, { seed: first, profiles }: Options): Promise<Search> {
  const seed = mutant.seed ?? first
  const mutated = new SimulationWorker(await bundle(mutant))
  const reference = new SimulationWorker(unchanged)
  const run = (worker: SimulationWorker, from: number, to: number): Promise<Outcome> =>
    worker.run({ from, to, profiles: mutant.profiles ?? profiles, untilFailure: true })
  let schedules = 0
  let killer: Failure | undefined
  while (!killer && schedules < mostSchedules) {
    const from = seed + schedules
    const outcome = await run(mutated, from, seed + mostSchedules)
    schedules += outcome.schedules
    const [failure] = outcome.failures
    const isKiller = failure && (await run(reference, failure.seed, failure.seed + 1)).failures.length === 0
    if (isKiller) killer = failure
  }
  await Promise.all([mutated.stop(), reference.stop()])
  return { killer, schedules }
}

const mostSchedules = 600
