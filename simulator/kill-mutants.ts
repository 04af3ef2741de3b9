import { bundle } from './bundle.js'
import { type Mutant, mutants } from './mutants.js'
import type { Options } from './options.js'
import { onAllCores, SimulationWorker } from './workers.js'
import type { ProfileName } from './world/profiles.js'
import type { Failure } from './world/serve.js'

/** Switches every guard off in turn (or the one that was named), until a schedule fails that the engine passes as it is. Answers whether each was found. */
export async function killMutants(options: Options, print: (line: string) => void): Promise<boolean> {
  const startedAt = performance.now()
  const unchanged = await bundle()
  const search = { ...options, unchanged, profiles: await soundProfiles(options, unchanged, print) }
  const survivors: string[] = []
  const tried = options.mutant ? [options.mutant] : mutants
  await onAllCores(tried, async (mutant) => {
    const began = performance.now()
    const { killer, schedules } = await findKiller(mutant, search)
    const took = `${schedules} schedules, ${((performance.now() - began) / 1000).toFixed(1)} s`
    if (!killer) survivors.push(mutant.name)
    const outcome = killer ? `found by seed ${killer.seed}, ${killer.profile}: ${killer.kinds[0]}` : 'NOT FOUND'
    print(`  ${mutant.name.padEnd(38)}${outcome} (${took})`)
  })
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
  print(`${tried.length - survivors.length} of ${tried.length} mutants found in ${seconds} s`)
  return survivors.length === 0
}

/** Where the engine as it is fails now and then, a mutant that fails shows nothing. */
async function soundProfiles({ seed, profiles, isFleetWide }: Options, code: string, print: (line: string) => void) {
  const sound: ProfileName[] = []
  await onAllCores(profiles, async (profile) => {
    const worker = new SimulationWorker(code)
    const task = { from: seed, to: seed + schedulesOfSound, profiles: [profile], isFleetWide, untilFailure: true }
    const { failures } = await worker.run(task)
    await worker.stop()
    if (failures.length === 0) sound.push(profile)
    else print(`  the engine as it is fails in the profile ${profile}, which is not used to find mutants`)
  })
  return profiles.filter((profile) => sound.includes(profile))
}

interface Search extends Pick<Options, 'seed' | 'profiles' | 'isFleetWide'> {
  unchanged: string
}

async function findKiller(mutant: Mutant, { seed, profiles: sound, isFleetWide, unchanged }: Search) {
  const profiles = sound.filter((profile) => profile === (mutant.profile ?? profile))
  const mutated = new SimulationWorker(await bundle(mutant))
  const reference = new SimulationWorker(unchanged)
  let schedules = 0
  let killer: Failure | undefined
  while (!killer && schedules < mostSchedules && profiles.length > 0) {
    const task = { from: seed + schedules, to: seed + mostSchedules, profiles, isFleetWide, untilFailure: true }
    const outcome = await mutated.run(task)
    schedules += outcome.schedules
    const [failure] = outcome.failures
    if (!failure) break
    const { failures } = await reference.run({ ...task, from: failure.seed, to: failure.seed + 1 })
    if (failures.length === 0) killer = failure
  }
  await Promise.all([mutated.stop(), reference.stop()])
  return { killer, schedules }
}

const schedulesOfSound = 40
const mostSchedules = 1_500
