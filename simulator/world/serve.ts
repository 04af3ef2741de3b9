import type { MessagePort } from 'node:worker_threads'
import type { ViolationKind } from './judge.js'
import { type Plan, planOf } from './plan.js'
import type { ProfileName } from './profiles.js'
import { type RunOptions, runPlan } from './run.js'
import { smallWorld } from './small-world.js'

/** The seeds, or schedules of the small world, from `from` to `to` (exclusive) */
export interface Task extends RunOptions {
  from: number
  to: number
  profiles: readonly ProfileName[] | 'small world'
  /** Stop at the first seed that fails. */
  untilFailure: boolean
}

export interface Failure {
  seed: number
  profile: ProfileName
  kinds: readonly ViolationKind[]
  /** The first violation */
  text: string
}

export interface Outcome {
  schedules: number
  events: number
  reads: number
  virtualMs: number
  failures: readonly Failure[]
}

/** In a worker thread: runs the tasks that arrive at the port and posts their outcomes. */
export function serve(port: MessagePort): void {
  port.on('message', (task: Task) => {
    void runTask(task).then((outcome) => port.postMessage(outcome))
  })
}

let smallWorldPlans: Promise<readonly Plan[]> | undefined

/** The plan of a seed, or the plan with this number in the small world */
export async function planAt(seed: number, profiles: Task['profiles']): Promise<Plan> {
  if (profiles !== 'small world') return planOf(seed, profiles)
  smallWorldPlans ??= smallWorld()
  const plan = (await smallWorldPlans)[seed]
  if (!plan) throw new Error(`The small world has no schedule ${seed}`)
  return plan
}

export async function runTask({ from, to, profiles, untilFailure, ...options }: Task): Promise<Outcome> {
  const sums = { schedules: 0, events: 0, reads: 0, virtualMs: 0 }
  const failures: Failure[] = []
  for (let seed = from; seed < to; seed += 1) {
    const plan = await planAt(seed, profiles)
    const { violations, events, reads, virtualMs } = await runPlan(plan, options)
    sums.schedules += 1
    sums.events += events
    sums.reads += reads
    sums.virtualMs += virtualMs
    const [first] = violations
    if (!first) continue
    failures.push({ seed, profile: plan.profile, kinds: [...new Set(violations.map(({ kind }) => kind))], text: first.text })
    if (untilFailure) break
  }
  return { ...sums, failures }
}
