import type { ViolationKind } from './judge.js'
import type { Plan } from './plan.js'
import { type RunOptions, runPlan } from './run.js'
import type { Operation } from './workload.js'

/**
 * The plan with as few faults, operations and subscribers as it takes to end in a violation of the same kind: parts are left out, one
 * after another, for as long as it still does (delta debugging).
 */
export async function shrink(plan: Plan, kind: ViolationKind, options: RunOptions): Promise<{ plan: Plan; runs: number }> {
  let runs = 0
  const stillFails = async (its: Plan): Promise<boolean> => {
    runs += 1
    const { violations } = await runPlan(its, options)
    return violations.some((violation) => violation.kind === kind)
  }
  const faults = await fewest(plan.faults, (its) => stillFails({ ...plan, faults: its }))
  const withFaults = { ...plan, faults }
  const subscribed = await fewest(plan.subscribed, (its) => stillFails({ ...withFaults, subscribed: its }))
  const withSubscribers = { ...withFaults, subscribed }
  const operations = await fewest<Operation>(plan.operations, (its) => stillFails({ ...withSubscribers, operations: its }))
  return { plan: { ...withSubscribers, operations }, runs }
}

/** Leaves out halves, quarters and so on, and at last single ones. */
async function fewest<T>(items: readonly T[], stillFails: (items: readonly T[]) => Promise<boolean>): Promise<readonly T[]> {
  let left = items
  for (let size = Math.ceil(left.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let start = 0; start < left.length; ) {
      const without = [...left.slice(0, start), ...left.slice(start + size)]
      if (await stillFails(without)) left = without
      else start += size
    }
  }
  return left
}
