import { setImmediate } from 'node:timers'
import { Random } from '../../torture/random.js'

/** What an event is to a process. One that was stopped runs its timers before it reads its sockets, as Node does. */
type Phase = 'timer' | 'io' | 'immediate'

export interface ScheduledEvent {
  at: number
  /** Of events at the same time, the one scheduled first runs first. */
  order: number
  readonly phase: Phase
  /** null: a server's or the network's, which runs no code of the engine */
  readonly owner: SimulatedProcess | null
  run: (() => void) | undefined
}

/** An operating system process: its clock, and whether it runs. */
export class SimulatedProcess {
  state: 'running' | 'stopped' | 'dead' = 'running'
  /** What its wall clock is ahead of the true time */
  wallOffsetMs = 0
  /** Events that came due while it was stopped */
  readonly due: ScheduledEvent[] = []

  constructor(
    readonly name: string,
    readonly random: Random,
  ) {}
}

export interface TraceLine {
  at: number
  who: string
  text: string
}

/**
 * Virtual time: one heap of events, run one after another, with all promises settled in between. Everything that happens depends on
 * the seed and on nothing else.
 */
export class Simulation {
  now = 0
  /** Whose code runs now */
  current: SimulatedProcess | null = null
  events = 0
  readonly trace: TraceLine[] = []
  /** When they ran, where that is recorded */
  readonly eventTimes: number[] = []
  private readonly heap: ScheduledEvent[] = []
  private nextOrder = 0
  private digest = 0x811c9dc5
  /** Under way, one within the other */
  private runs = 0

  constructor(
    readonly seed: number,
    private readonly isTraced: boolean,
  ) {}

  /** Differs where anything happened at another time, in another order or in another process. */
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

  /** `text` is put together only where somebody will read it. */
  tell(who: string, text: () => string): void {
    if (this.isTraced) this.trace.push({ at: this.now, who, text: text() })
  }

  mix(value: number): void {
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

  /** Runs what is due up to then. */
  runUntil(until: number): Promise<void> {
    return this.run(() => this.now >= until, until)
  }

  /** Runs until the promise is settled; rejects where nothing is left that could settle it. */
  async settle<T>(promise: Promise<T>): Promise<T> {
    let isSettled = false
    const end = () => {
      isSettled = true
    }
    promise.then(end, end)
    await this.run(() => isSettled, Number.POSITIVE_INFINITY)
    if (!isSettled) throw new Error('Nothing is left that could settle this promise')
    return promise
  }

  /** Calls into a process from outside. */
  as<T>(process: SimulatedProcess, work: () => T): T {
    const before = this.current
    this.current = process
    try {
      return work()
    } finally {
      this.current = before
    }
  }

  private run(isOver: () => boolean, until: number): Promise<void> {
    this.runs += 1
    const { runs: level } = this
    return new Promise<void>((resolve, reject) => {
      // A tick begins when no microtask is left; one that is asked for in a microtask lets the others go first.
      const next = () => process.nextTick(step)
      const step = (): unknown => {
        // While code that this run waits for lets time go on by itself, it does so alone.
        if (level < this.runs) return setImmediate(step)
        try {
          for (;;) {
            if (isOver()) return resolve()
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
      this.runs -= 1
    })
  }

  /** Answers whether promises of the engine may have to be settled now. */
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
    this.mix(event.order)
    this.mix(this.now * 1000)
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

export function activate(its: Simulation): void {
  active = its
}
