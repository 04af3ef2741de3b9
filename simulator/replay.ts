import { bundle } from './bundle.js'
import { load } from './load.js'
import type { Options } from './options.js'
import type { Task } from './world/serve.js'

type ReplayOptions = Pick<Options, 'mutant'> & Pick<Task, 'profiles'>

/**
 * Runs one schedule again and prints its violations. If it failed, also prints the smallest plan that fails in the same way and
 * the timeline of the key. Returns whether it failed.
 */
export async function replay(seed: number, options: ReplayOptions, print: (line: string) => void): Promise<boolean> {
  const world = load(await bundle(options.mutant))
  const { profiles } = options
  const plan = await world.planAt(seed, profiles)
  const { violations, hash, events } = await world.runPlan(plan)
  print(`seed ${seed}, profile ${plan.profile}: ${events} events, hash ${hash}, ${violations.length} violations`)
  const [first] = violations
  if (!first) return false
  for (const { kind, text } of violations.slice(0, maxPrintedViolations)) print(`  ${kind}: ${text}`)

  const { plan: smallest, runs } = await world.shrink(plan, first.kind, {})
  print(
    `The same kind of violation with ${smallest.faults.length} of ${plan.faults.length} faults and ${smallest.operations.length} of ` +
      `${plan.operations.length} operations (${runs} runs):`,
  )
  for (const fault of smallest.faults) print(`  fault      ${JSON.stringify(fault)}`)
  for (const operation of smallest.operations) print(`  operation  ${JSON.stringify(operation)}`)

  const again = await world.runPlan(smallest, { isTraced: true })
  const violation = again.violations.find(({ kind }) => kind === first.kind)
  if (!violation) throw new Error('The reduced plan did not fail again: the run is not deterministic')
  print(`Timeline of ${violation.key ?? 'all keys'}:`)
  for (const line of world.timelineOf(again, violation)) print(line)
  return true
}

const maxPrintedViolations = 10
