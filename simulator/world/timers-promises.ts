import { simulation } from './simulation.js'

/** Replaces node:timers/promises. */
export function setTimeout<T>(delayMs = 1, value?: T): Promise<T | undefined> {
  const { current } = simulation()
  return new Promise((resolve) => {
    simulation().schedule(Math.max(1, delayMs), current, 'timer', () => resolve(value))
  })
}

export function setImmediate(): Promise<void> {
  const { current } = simulation()
  return new Promise((resolve) => {
    simulation().schedule(0, current, 'immediate', () => resolve())
  })
}
