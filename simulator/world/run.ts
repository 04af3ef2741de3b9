import process from 'node:process'
import { setImmediate } from 'node:timers'
import type { Promises, Violation } from './judge.js'
import type { Plan } from './plan.js'
import type { TraceLine } from './simulation.js'
import { World } from './world.js'

export interface RunResult {
  violations: readonly Violation[]
  /** Equal for equal runs */
  hash: string
  events: number
  readings: number
  /** How much virtual time went by */
  virtualMs: number
  /** Empty unless it is traced, as are the times of all events */
  trace: readonly TraceLine[]
  eventTimes: readonly number[]
}

export interface RunOptions {
  /** Keeps a line for everything that happens. */
  isTraced?: boolean
}

const promises: Promises = {
  boundMs: 500,
  faultBoundMs: 2_000,
  afterFaultMs: 2_000,
  nearBoundMs: 550,
  waitMs: 480,
}

/** Runs a plan from beginning to end. One at a time: timers and clocks are those of the world that was made last. */
export async function runPlan(plan: Plan, options: RunOptions = {}): Promise<RunResult> {
  const { isTraced = false } = options
  const world = new World(plan, promises, isTraced)
  const unhandled = (error: unknown) => world.judge.report('error nobody handled', null, describe(error))
  process.on('unhandledRejection', unhandled)
  try {
    await world.run()
    // Rejections are told to be unhandled when nothing else is left to do.
    await new Promise((resolve) => setImmediate(resolve))
  } finally {
    process.off('unhandledRejection', unhandled)
  }
  const { judge, simulation } = world
  return {
    violations: judge.violations,
    hash: simulation.hash,
    events: simulation.events,
    readings: judge.readings,
    virtualMs: simulation.now,
    trace: simulation.trace,
    eventTimes: simulation.eventTimes,
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
