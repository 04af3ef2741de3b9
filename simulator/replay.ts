import { bundle } from './bundle.js'
import { load } from './load.js'
import type { Options } from './options.js'
import type { Task } from './world/serve.js'

type Replayed = Pick<Options, 'mutant'> & Pick<Task, 'profiles'>

/** One schedule again: what it ends in, how little of it is needed for that, and the story of the key. Answers whether it failed. */
export async function replay(seed: number, options: Replayed, print: (line: string) => void): Promise<boolean> {
  const world = load(await bundle(options.mutant))
  const { profiles } = options
  const plan = await world.planAt(seed, profiles)
  const { violations, hash, events } = await world.runPlan(plan)
  print(`seed ${seed}, profile ${plan.profile}: ${events} events, hash ${hash}, ${violations.length} violations`)
  const [first] = violations
  if (!first) return false
  for (const { kind, text } of violations.slice(0, mostViolations)) print(`  ${kind}: ${text}`)

  const { plan: least, runs } = await world.shrink(plan, first.kind, {})
  print(
    `The same kind with ${least.faults.length} of ${plan.faults.length} faults and ${least.operations.length} of ` +
      `${plan.operations.length} operations (${runs} runs):`,
  )
  for (const fault of least.faults) print(`  fault      ${JSON.stringify(fault)}`)
  for (const operation of least.operations) print(`  operation  ${JSON.stringify(operation)}`)

  const again = await world.runPlan(least, { isTraced: true })
  const violation = again.violations.find(({ kind }) => kind === first.kind)
  if (!violation) throw new Error('The same plan did not end the same')
  print(`What happened to ${violation.key ?? 'everything'}:`)
  for (const line of world.story(again, violation)) print(line)
  return true
}

const mostViolations = 10
