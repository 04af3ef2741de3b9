export interface LoadShedderOptions {
  /** Requests that may wait at once, for the cache or the database */
  maxInFlight: number
  /** How long an iteration of the event loop may take, and therefore how long a request may wait for the next one */
  maxDelayMs: number
  /** How long iterations may exceed `maxDelayMs` before requests are refused: a burst, or a new process that is not warm yet */
  burstMs: number
  /** Monotonic, in milliseconds */
  now: () => number
}

/**
 * Detects overload: iterations of the event loop that take too long for longer than a burst. Then each iteration refuses the
 * requests that it does not reach in time, and the limit of requests in flight is reduced until iterations are short again.
 */
export class LoadShedder {
  private inFlight = 0
  /** Maximum of `inFlight` since the last sample */
  private peak = 0
  private limit: number
  private iterationStartedAt: number | undefined
  private sampledAt: number
  /** Start of the first delay and end of the last delay of a period in which delays are at most `burstMs` apart */
  private delayedSince = Number.NEGATIVE_INFINITY
  private delayedUntil = Number.NEGATIVE_INFINITY
  private timer: NodeJS.Timeout | undefined
  private readonly endIteration = () => {
    this.iterationStartedAt = undefined
  }

  constructor(private readonly options: LoadShedderOptions) {
    this.limit = options.maxInFlight
    this.sampledAt = options.now()
  }

  start(): void {
    this.sampledAt = this.options.now()
    this.timer = setInterval(() => this.sample(), sampleIntervalMs).unref()
  }

  stop(): void {
    clearInterval(this.timer)
  }

  /**
   * Whether this iteration of the event loop has no time for another request. Must be read for each request: the first read
   * starts the clock.
   */
  get isOverloaded(): boolean {
    const at = this.options.now()
    if (this.iterationStartedAt === undefined) {
      this.iterationStartedAt = at
      setImmediate(this.endIteration)
    }
    return this.exceedsMaxDelay(this.iterationStartedAt, at)
  }

  /** Whether a request that has been queued since `arrivedAt` should be refused. */
  hasWaitedTooLong(arrivedAt: number): boolean {
    return this.exceedsMaxDelay(arrivedAt, this.options.now())
  }

  /** Whether the limit of requests in flight is reached. */
  get isFull(): boolean {
    return this.inFlight >= this.limit
  }

  /** Whether the reserve above the limit is used up too. It is for networks that have few requests in flight. */
  get isReserveFull(): boolean {
    return this.inFlight >= this.limit + Math.floor(this.options.maxInFlight / 10)
  }

  /** A network with fewer requests in flight than this may use the reserve. */
  get maxInFlightForReserve(): number {
    return Math.floor(this.options.maxInFlight / 100)
  }

  acquire(): void {
    this.inFlight += 1
    if (this.inFlight > this.peak) this.peak = this.inFlight
  }

  release(): void {
    this.inFlight -= 1
  }

  /** Must be called every `sampleIntervalMs`. The time by which a call is late is the delay of the event loop. */
  sample(): void {
    const { maxInFlight, maxDelayMs, now } = this.options
    const at = now()
    const delayMs = at - this.sampledAt - sampleIntervalMs
    this.sampledAt = at
    if (delayMs <= maxDelayMs) this.limit = Math.min(maxInFlight, Math.ceil(this.limit * increaseFactor))
    else if (this.isSustainedOverload(at - delayMs, at))
      this.limit = Math.max(1, Math.floor(Math.min(this.limit, this.peak) * decreaseFactor))
    this.peak = this.inFlight
  }

  private exceedsMaxDelay(from: number, until: number): boolean {
    return until - from > this.options.maxDelayMs && this.isSustainedOverload(from, until)
  }

  /** Records a delay, and returns whether delays have gone on for longer than a burst. */
  private isSustainedOverload(from: number, until: number): boolean {
    if (from - this.delayedUntil > this.options.burstMs) this.delayedSince = from
    this.delayedUntil = until
    return until - this.delayedSince >= this.options.burstMs
  }
}

export const sampleIntervalMs = 50
/** Fast decrease, slow increase: the limit finds the capacity of the process, and stays near it. */
const decreaseFactor = 0.7
const increaseFactor = 1.05
