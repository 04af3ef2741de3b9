import { type ScheduledEvent, type SimulatedProcess, simulation } from './simulation.js'

/** Replaces Node's timers and clocks in all bundled code: see bundle.ts. */

class Timer {
  private readonly owner: SimulatedProcess | null

  constructor(
    private readonly callback: () => void,
    private readonly delayMs: number,
    private readonly repeats: boolean,
  ) {
    this.owner = simulation().current
    this.event = this.schedule()
  }

  private event: ScheduledEvent

  clear(): void {
    simulation().cancel(this.event)
  }

  ref(): this {
    return this
  }

  unref(): this {
    return this
  }

  private schedule(): ScheduledEvent {
    return simulation().schedule(this.delayMs, this.owner, 'timer', () => {
      if (this.repeats) this.event = this.schedule()
      this.callback()
    })
  }
}

export function setTimeout(callback: (...args: unknown[]) => void, delayMs = 0, ...args: unknown[]): Timer {
  return new Timer(() => callback(...args), Math.max(1, delayMs), false)
}

export function setInterval(callback: (...args: unknown[]) => void, delayMs = 0, ...args: unknown[]): Timer {
  return new Timer(() => callback(...args), Math.max(1, delayMs), true)
}

export function clearTimeout(timer: Timer | null | undefined): void {
  timer?.clear()
}

export function clearInterval(timer: Timer | null | undefined): void {
  timer?.clear()
}

export function setImmediate(callback: (...args: unknown[]) => void, ...args: unknown[]): ScheduledEvent {
  const { current } = simulation()
  return simulation().schedule(0, current, 'immediate', () => callback(...args))
}

export function clearImmediate(immediate: ScheduledEvent | null | undefined): void {
  if (immediate) simulation().cancel(immediate)
}

export function simulatedMonotonicNow(): number {
  return simulation().now
}

/** 2026-01-01, 12:00 UTC */
const epochMs = 1_767_268_800_000

export function simulatedWallNow(): number {
  return Math.floor(epochMs + simulation().now + (simulation().current?.wallOffsetMs ?? 0))
}

export function simulatedRandom(): number {
  const { current } = simulation()
  if (!current) throw new Error('Math.random was called outside of a simulated process')
  return current.random.next()
}
