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
  /** Workers with the unmodified engine, by core */
  const references = new Map<number, SimulationWorker>()
  await onAllCores(chosen, async (mutant, core) => {
    const searchStartedAt = performance.now()
    const reference = references.get(core) ?? new SimulationWorker(unchanged)
    references.set(core, reference)
    const { killer, schedules } = await findKiller(mutant, reference, options)
    const took = `${schedules} schedules, ${((performance.now() - searchStartedAt) / 1000).toFixed(1)} s`
    if (killer) {
      print(`  ${mutant.name.padEnd(38)}found by seed ${killer.seed}: ${killer.kinds[0]} (${took})`)
    } else {
      print(`  ${mutant.name.padEnd(38)}NOT FOUND (${took})`)
      survivors.push(mutant.name)
    }
  })
  await Promise.all([...references.values()].map((worker) => worker.stop()))
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
  print(`${chosen.length - survivors.length} of ${chosen.length} mutants found in ${seconds} s`)
  return survivors.length === 0
}

interface SearchResult {
  killer: Failure | undefined
  schedules: number
}

async function findKiller(
  mutant: Mutant,
  reference: SimulationWorker,
  { seed: first, profiles }: Options,
): Promise<SearchResult> {
  const seed = mutant.seed ?? first
  const mutated = new SimulationWorker(await bundle(mutant))
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
  await mutated.stop()
  return { killer, schedules }
}

const maxSchedules = 600
