import { bundle } from './bundle.js'
import { type Mutant, mutants } from './mutants.js'
import type { Options } from './options.js'
import { onAllCores, SimulationWorker } from './workers.js'
import type { Failure, Outcome } from './world/serve.js'

/**
 * For every mutant, or for `options.mutant` only, searches a schedule that fails with the mutant and passes with the unmodified
 * engine. Returns whether every mutant was found.
 */
export async function killMutants(options: Options, print: (line: string) => void): Promise<boolean> {
  const unchanged = await bundle()
  const chosen = options.mutant ? [options.mutant] : mutants
  const survivors: string[] = []
  const startedAt = performance.now()
  await onAllCores(chosen, async (mutant) => {
    const searchStartedAt = performance.now()
    const { killer, schedules } = await findKiller(mutant, unchanged, options)
    const took = `${schedules} schedules, ${((performance.now() - searchStartedAt) / 1000).toFixed(1)} s`
    if (killer) {
      print(`  ${mutant.name.padEnd(38)}found by seed ${killer.seed}: ${killer.kinds[0]} (${took})`)
    } else {
      print(`  ${mutant.name.padEnd(38)}NOT FOUND (${took})`)
      survivors.push(mutant.name)
    }
  })
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
  print(`${chosen.length - survivors.length} of ${chosen.length} mutants found in ${seconds} s`)
  return survivors.length === 0
}

interface SearchResult {
  killer: Failure | undefined
  schedules: number
}

async function findKiller(mutant: Mutant, unchanged: string, { seed: first, profiles }: Options): Promise<SearchResult> {
  const seed = mutant.seed ?? first
  const mutated = new SimulationWorker(await bundle(mutant))
  const reference = new SimulationWorker(unchanged)
  const run = (worker: SimulationWorker, from: number, to: number): Promise<Outcome> =>
    worker.run({ from, to, profiles: mutant.profiles ?? profiles, untilFailure: true })
  let schedules = 0
  let killer: Failure | undefined
  while (!killer && schedules < maxSchedules) {
    const from = seed + schedules
    const outcome = await run(mutated, from, seed + maxSchedules)
    schedules += outcome.schedules
    const [failure] = outcome.failures
    const isKiller = failure && (await run(reference, failure.seed, failure.seed + 1)).failures.length === 0
    if (isKiller) killer = failure
  }
  await Promise.all([mutated.stop(), reference.stop()])
  return { killer, schedules }
}

const maxSchedules = 600
