import process from 'node:process'
import { setImmediate } from 'node:timers'
import type { Guarantees, Violation } from './judge.js'
import type { Plan } from './plan.js'
import type { TraceLine } from './simulation.js'
import { World } from './world.js'

export interface RunResult {
  violations: readonly Violation[]
  /** Equal runs have equal hashes. */
  hash: string
  events: number
  reads: number
  /** Virtual time that passed */
  virtualMs: number
  /** Empty unless `isTraced` was set, as is `eventTimes` */
  trace: readonly TraceLine[]
  eventTimes: readonly number[]
}

export interface RunOptions {
  /** Record a line for every action. */
  isTraced?: boolean
}

const guarantees: Guarantees = {
  boundMs: 500,
  faultBoundMs: 2_000,
  afterFaultMs: 2_000,
  nearBoundMs: 550,
  waitMs: 480,
}

/** Runs a plan to its end. Only one at a time: timers and clocks belong to the world that was created last. */
export async function runPlan(plan: Plan, options: RunOptions = {}): Promise<RunResult> {
  const { isTraced = false } = options
  const world = new World(plan, guarantees, isTraced)
  const unhandled = (error: unknown) => world.judge.report('unhandled error', null, describe(error))
  process.on('unhandledRejection', unhandled)
  try {
    await world.run()
    // Node emits unhandledRejection after the microtask queue is empty.
    await new Promise((resolve) => setImmediate(resolve))
  } finally {
    process.off('unhandledRejection', unhandled)
  }
  const { judge, simulation } = world
  return {
    violations: judge.violations,
    hash: simulation.hash,
    events: simulation.events,
    reads: judge.reads,
    virtualMs: simulation.now,
    trace: simulation.trace,
    eventTimes: simulation.eventTimes,
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
