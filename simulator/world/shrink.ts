import type { ViolationKind } from './judge.js'
import type { Plan } from './plan.js'
import { type RunOptions, runPlan } from './run.js'
import type { Operation } from './workload.js'

/**
 * Reduces the plan to fewer faults, operations and subscribers that still end in a violation of the same kind. Leaves out one
 * part after another as long as the plan still fails (delta debugging).
 */
export async function shrink(plan: Plan, kind: ViolationKind, options: RunOptions): Promise<{ plan: Plan; runs: number }> {
  let runs = 0
  const stillFails = async (reduced: Plan): Promise<boolean> => {
    runs += 1
    const { violations } = await runPlan(reduced, options)
    return violations.some((violation) => violation.kind === kind)
  }
  const faults = await minimize(plan.faults, (some) => stillFails({ ...plan, faults: some }))
  const withFaults = { ...plan, faults }
  const subscribedProcesses = await minimize(plan.subscribedProcesses, (some) =>
    stillFails({ ...withFaults, subscribedProcesses: some }),
  )
  const withSubscribers = { ...withFaults, subscribedProcesses }
  const operations = await minimize<Operation>(plan.operations, (some) => stillFails({ ...withSubscribers, operations: some }))
  return { plan: { ...withSubscribers, operations }, runs }
}

/** Leaves out halves, then quarters and so on, and finally single items. */
async function minimize<T>(items: readonly T[], stillFails: (items: readonly T[]) => Promise<boolean>): Promise<readonly T[]> {
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
