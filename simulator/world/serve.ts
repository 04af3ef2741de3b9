import type { MessagePort } from 'node:worker_threads'
import type { ViolationKind } from './judge.js'
import { planOf } from './plan.js'
import type { ProfileName } from './profiles.js'
import { type RunOptions, runPlan } from './run.js'

/** Seeds from `from` up to, and without, `to` */
export interface Task extends RunOptions {
  from: number
  to: number
  profiles: readonly ProfileName[]
  /** End with the first seed that fails. */
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
  readings: number
  virtualMs: number
  failures: readonly Failure[]
}

/** In a worker thread: runs what the port asks for. */
export function serve(port: MessagePort): void {
  port.on('message', (task: Task) => {
    void runTask(task).then((outcome) => port.postMessage(outcome))
  })
}

export async function runTask({ from, to, profiles, untilFailure, ...options }: Task): Promise<Outcome> {
  const sums = { schedules: 0, events: 0, readings: 0, virtualMs: 0 }
  const failures: Failure[] = []
  for (let seed = from; seed < to; seed += 1) {
    const plan = planOf(seed, profiles)
    const { violations, events, readings, virtualMs } = await runPlan(plan, options)
    sums.schedules += 1
    sums.events += events
    sums.readings += readings
    sums.virtualMs += virtualMs
    const [first] = violations
    if (!first) continue
    failures.push({ seed, profile: plan.profile, kinds: [...new Set(violations.map(({ kind }) => kind))], text: first.text })
    if (untilFailure) break
  }
  return { ...sums, failures }
}
