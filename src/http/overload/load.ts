export interface LoadOptions {
  /** Requests that wait for something at once */
  maxInFlight: number
  /** How long a turn of the event loop may take, and with it all who wait for the next */
  maxDelayMs: number
  /** For that long turns may take longer: a burst, or a process that has just started and is not warm yet */
  burstMs: number
  /** Monotonic, in milliseconds */
  now: () => number
}

/**
 * Tells when there is more to do than can be done: when turns of the event loop go on taking too long. Then a turn refuses the requests
 * that it has not come to in time, and fewer may wait at once, until turns are short again.
 */
export class Load {
  private inFlight = 0
  /** The most since it was looked last */
  private peak = 0
  private room: number
  private turnBeganAt: number | undefined
  private lookedAt: number
  /** Of late turns that are no further apart than a burst lasts: when the first began, and how far the last had come */
  private lateSince = Number.NEGATIVE_INFINITY
  private lateUntil = Number.NEGATIVE_INFINITY
  private timer: NodeJS.Timeout | undefined
  private readonly endTurn = () => {
    this.turnBeganAt = undefined
  }

  constructor(private readonly options: LoadOptions) {
    this.room = options.maxInFlight
    this.lookedAt = options.now()
  }

  start(): void {
    this.lookedAt = this.options.now()
    this.timer = setInterval(() => this.look(), lookEveryMs).unref()
  }

  stop(): void {
    clearInterval(this.timer)
  }

  /** Whether this turn has no time for another request. To be asked for each: the first of a turn begins it. */
  get isLate(): boolean {
    const at = this.options.now()
    if (this.turnBeganAt === undefined) {
      this.turnBeganAt = at
      setImmediate(this.endTurn)
    }
    return this.isTooLate(this.turnBeganAt, at)
  }

  /** Whether a request that has waited for its turn since then is one that there is no time for. */
  isTooLateFor(arrivedAt: number): boolean {
    return this.isTooLate(arrivedAt, this.options.now())
  }

  /** Whether no other request may wait. */
  get isFull(): boolean {
    return this.inFlight >= this.room
  }

  /** Whether not even one may that is of somebody who has few, while others have taken all places. */
  get isOverfull(): boolean {
    return this.inFlight >= this.room + Math.floor(this.options.maxInFlight / 10)
  }

  get fewPlaces(): number {
    return Math.floor(this.options.maxInFlight / 100)
  }

  enter(): void {
    this.inFlight += 1
    if (this.inFlight > this.peak) this.peak = this.inFlight
  }

  leave(): void {
    this.inFlight -= 1
  }

  /** To be called every `lookEveryMs`. What it is late by is what everything has to wait for. */
  look(): void {
    const { maxInFlight, maxDelayMs, now } = this.options
    const at = now()
    const delayMs = at - this.lookedAt - lookEveryMs
    this.lookedAt = at
    if (delayMs <= maxDelayMs) this.room = Math.min(maxInFlight, Math.ceil(this.room * growth))
    else if (this.goesOnBeingLate(at - delayMs, at))
      this.room = Math.max(1, Math.floor(Math.min(this.room, this.peak) * shrinkage))
    this.peak = this.inFlight
  }

  private isTooLate(from: number, until: number): boolean {
    return until - from > this.options.maxDelayMs && this.goesOnBeingLate(from, until)
  }

  private goesOnBeingLate(from: number, until: number): boolean {
    if (from - this.lateUntil > this.options.burstMs) this.lateSince = from
    this.lateUntil = until
    return until - this.lateSince >= this.options.burstMs
  }
}

export const lookEveryMs = 50
/** Quickly less, slowly more: so it finds as much as there is time for, and stays near it. */
const shrinkage = 0.7
const growth = 1.05
