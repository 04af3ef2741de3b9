export interface LoadShedderOptions {
  /** Maximum number of requests in flight, which wait for the cache or the database */
  maxInFlight: number
  /** How long an iteration of the event loop may take, and therefore how long a request may wait for the next iteration */
  maxDelayMs: number
  /** How long iterations may exceed `maxDelayMs` before requests are refused, as in a burst or while a new process warms up */
  burstMs: number
  /** A monotonic clock, in milliseconds */
  now: () => number
}

/**
 * Detects sustained overload: iterations of the event loop keep exceeding `maxDelayMs` for at least `burstMs`. During overload,
 * each iteration refuses the requests that it does not reach in time, and the limit on requests in flight is reduced until
 * iterations are short again.
 */
export class LoadShedder {
  private inFlight = 0
  /** Maximum of `inFlight` since the last sample */
  private peak = 0
  /** Current limit on requests in flight: at most `maxInFlight`, lower during overload */
  private currentLimit: number
  private iterationStartedAt: number | undefined
  private sampledAt: number
  /** Start of the current series of delays; a gap of more than `burstMs` starts a new series */
  private delayedSince = Number.NEGATIVE_INFINITY
  /** End of the latest delay of the series */
  private delayedUntil = Number.NEGATIVE_INFINITY
  private timer: NodeJS.Timeout | undefined
  private readonly endIteration = () => {
    this.iterationStartedAt = undefined
  }

  constructor(private readonly options: LoadShedderOptions) {
    this.currentLimit = options.maxInFlight
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
   * Returns whether overload is sustained and this iteration of the event loop has taken longer than `maxDelayMs`. Must be called
   * when each request arrives, because the first call in an iteration starts the measurement of the iteration.
   */
  checkOverload(): boolean {
    const at = this.options.now()
    if (this.iterationStartedAt === undefined) {
      this.iterationStartedAt = at
      setImmediate(this.endIteration)
    }
    return this.checkDelay(this.iterationStartedAt, at)
  }

  /** Whether a request that has been queued since `arrivedAt` must be refused */
  hasWaitedTooLong(arrivedAt: number): boolean {
    return this.checkDelay(arrivedAt, this.options.now())
  }

  /** Whether the limit on requests in flight is reached */
  get isFull(): boolean {
    return this.inFlight >= this.currentLimit
  }

  /** Whether the reserve above the limit is used up too. The reserve is for networks with few requests in flight. */
  get isReserveFull(): boolean {
    return this.inFlight >= this.currentLimit + Math.floor(this.options.maxInFlight / 10)
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

  /**
   * Adapts the limit. Must be called every `sampleIntervalMs`: the time by which a call is late is the delay of the event loop.
   */
  sample(): void {
    const { maxInFlight, maxDelayMs, now } = this.options
    const at = now()
    const delayMs = at - this.sampledAt - sampleIntervalMs
    this.sampledAt = at
    if (delayMs <= maxDelayMs) this.currentLimit = Math.min(maxInFlight, Math.ceil(this.currentLimit * increaseFactor))
    else if (this.recordDelay(at - delayMs, at))
      this.currentLimit = Math.max(1, Math.floor(Math.min(this.currentLimit, this.peak) * decreaseFactor))
    this.peak = this.inFlight
  }

  /** Returns whether this delay exceeds `maxDelayMs` and the overload is sustained. Records a delay that exceeds `maxDelayMs`. */
  private checkDelay(from: number, until: number): boolean {
    return until - from > this.options.maxDelayMs && this.recordDelay(from, until)
  }

  /** Records a delay. Returns whether the current series of delays has lasted for at least `burstMs`. */
  private recordDelay(from: number, until: number): boolean {
    if (from - this.delayedUntil > this.options.burstMs) this.delayedSince = from
    this.delayedUntil = until
    return until - this.delayedSince >= this.options.burstMs
  }
}

export const sampleIntervalMs = 50
/** The limit decreases fast and increases slowly, so it stays near the capacity of the process. */
const decreaseFactor = 0.7
const increaseFactor = 1.05
