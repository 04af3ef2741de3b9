import { setImmediate } from 'node:timers'
import { Random } from '../../torture/random.js'

/**
 * The event loop phase of an event. A process that continues after a stop runs its timers before it reads its sockets, as Node
 * does.
 */
type Phase = 'timer' | 'io' | 'immediate'

export interface ScheduledEvent {
  at: number
  /** Events at the same time run in the order in which they were scheduled. */
  order: number
  readonly phase: Phase
  /** null: an event of a server or the network, which runs no code of the engine */
  readonly owner: SimulatedProcess | null
  run: (() => void) | undefined
}

/** An operating system process: its state and its wall clock. */
export class SimulatedProcess {
  state: 'running' | 'stopped' | 'dead' = 'running'
  /** How far the wall clock is ahead of the true time */
  wallOffsetMs = 0
  /** Events that became due while the process was stopped */
  readonly due: ScheduledEvent[] = []

  constructor(
    readonly name: string,
    readonly random: Random,
  ) {}
}

export interface TraceLine {
  at: number
  actor: string
  text: string
}

/**
 * Virtual time: runs the events of one heap in order and settles all promises after each. A run depends on the seed and on
 * nothing else.
 */
export class Simulation {
  now = 0
  /** The process whose code runs now */
  current: SimulatedProcess | null = null
  events = 0
  readonly trace: TraceLine[] = []
  /** The time of each event; recorded only if the run is traced */
  readonly eventTimes: number[] = []
  private readonly heap: ScheduledEvent[] = []
  private nextOrder = 0
  private digest = 0x811c9dc5
  /** Number of nested calls of `run` */
  private activeRuns = 0

  constructor(
    readonly seed: number,
    private readonly isTraced: boolean,
  ) {}

  /** Differs if anything happened at another time, in another order or in another process. */
  get hash(): string {
    return (this.digest >>> 0).toString(16).padStart(8, '0')
  }

  random(name: string): Random {
    return new Random(this.seed, name)
  }

  schedule(delayMs: number, owner: SimulatedProcess | null, phase: Phase, run: () => void): ScheduledEvent {
    const event = { at: this.now + Math.max(0, delayMs), order: this.nextOrder++, phase, owner, run }
    this.push(event)
    return event
  }

  cancel(event: ScheduledEvent): void {
    event.run = undefined
  }

  /** Adds a line to the trace. Calls `text` only if the run is traced. */
  record(actor: string, text: () => string): void {
    if (this.isTraced) this.trace.push({ at: this.now, actor, text: text() })
  }

  addToHash(value: number): void {
    this.digest = Math.imul(this.digest ^ (value | 0), 0x01000193)
  }

  stop(process: SimulatedProcess): void {
    if (process.state === 'running') process.state = 'stopped'
  }

  resume(process: SimulatedProcess): void {
    if (process.state !== 'stopped') return
    process.state = 'running'
    const due = process.due.splice(0).sort((a, b) => phases[a.phase] - phases[b.phase] || a.at - b.at || a.order - b.order)
    for (const event of due) {
      event.at = this.now
      event.order = this.nextOrder++
      this.push(event)
    }
  }

  kill(process: SimulatedProcess): void {
    process.state = 'dead'
    process.due.length = 0
  }

  /** Runs all events up to this time. */
  runUntil(until: number): Promise<void> {
    return this.run(() => this.now >= until, until)
  }

  /** Runs until the promise is settled. Rejects if no event is left that could settle it. */
  async runUntilSettled<T>(promise: Promise<T>): Promise<T> {
    let isSettled = false
    const end = () => {
      isSettled = true
    }
    promise.then(end, end)
    await this.run(() => isSettled, Number.POSITIVE_INFINITY)
    if (!isSettled) throw new Error('The promise is not settled and no event is left')
    return promise
  }

  /** Calls `work` as code of this process. */
  runAs<T>(process: SimulatedProcess, work: () => T): T {
    const before = this.current
    this.current = process
    try {
      return work()
    } finally {
      this.current = before
    }
  }

  private run(isDone: () => boolean, until: number): Promise<void> {
    this.activeRuns += 1
    const { activeRuns: level } = this
    return new Promise<void>((resolve, reject) => {
      // A tick runs when the microtask queue is empty; requesting it in a microtask lets earlier microtasks finish first.
      const next = () => process.nextTick(step)
      const step = (): unknown => {
        // An inner run, started by code that this run waits for, advances time alone.
        if (level < this.activeRuns) return setImmediate(step)
        try {
          for (;;) {
            if (isDone()) return resolve()
            const event = this.heap[0]
            if (!event || event.at > until) {
              if (until !== Number.POSITIVE_INFINITY) this.now = until
              return resolve()
            }
            this.pop()
            if (this.runEvent(event)) return queueMicrotask(next)
          }
        } catch (error) {
          reject(error)
        }
      }
      process.nextTick(step)
    }).finally(() => {
      this.activeRuns -= 1
    })
  }

  /** Returns whether promises of the engine may have to be settled now. */
  private runEvent(event: ScheduledEvent): boolean {
    const { run, owner } = event
    if (!run || owner?.state === 'dead') return false
    if (owner?.state === 'stopped') {
      owner.due.push(event)
      return false
    }
    this.now = Math.max(this.now, event.at)
    this.events += 1
    if (this.isTraced) this.eventTimes.push(this.now)
    this.addToHash(event.order)
    this.addToHash(this.now * 1000)
    event.run = undefined
    this.current = owner
    run()
    return owner !== null
  }

  private push(event: ScheduledEvent): void {
    const { heap } = this
    let index = heap.length
    heap.push(event)
    while (index > 0) {
      const parent = (index - 1) >> 1
      const above = heap[parent] as ScheduledEvent
      if (isBefore(above, event)) break
      heap[index] = above
      index = parent
    }
    heap[index] = event
  }

  private pop(): void {
    const { heap } = this
    const last = heap.pop() as ScheduledEvent
    const size = heap.length
    if (size === 0) return
    let index = 0
    for (;;) {
      let child = 2 * index + 1
      if (child >= size) break
      if (child + 1 < size && isBefore(heap[child + 1] as ScheduledEvent, heap[child] as ScheduledEvent)) child += 1
      const below = heap[child] as ScheduledEvent
      if (isBefore(last, below)) break
      heap[index] = below
      index = child
    }
    heap[index] = last
  }
}

function isBefore(a: ScheduledEvent, b: ScheduledEvent): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order)
}

const phases: Record<Phase, number> = { timer: 0, io: 1, immediate: 2 }

let active: Simulation | undefined

/** The simulation that the replaced timers and clocks belong to */
export function simulation(): Simulation {
  if (!active) throw new Error('No simulation is running')
  return active
}

export function activate(simulation: Simulation): void {
  active = simulation
}
