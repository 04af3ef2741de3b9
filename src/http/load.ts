export interface LoadOptions {
  /** Requests that wait for something at once */
  maxInFlight: number
  /** How long requests that have arrived may have to wait for the turn of the event loop that is under way */
  maxDelayMs: number
  /** Monotonic, in milliseconds */
  now: () => number
}

/**
 * Tells when there is more to do than can be done. A turn of the event loop reads all requests that have arrived meanwhile; when it has
 * taken too long, those that it has not come to are one too many. The next turn begins anew, so that as many are answered as can be.
 */
export class Load {
  private inFlight = 0
  private turnBeganAt: number | undefined
  private readonly endTurn = () => {
    this.turnBeganAt = undefined
  }

  constructor(private readonly options: LoadOptions) {}

  /** Whether this turn has no time for another request. To be asked for each: the first of a turn begins it. */
  get isLate(): boolean {
    const now = this.options.now()
    if (this.turnBeganAt === undefined) {
      this.turnBeganAt = now
      setImmediate(this.endTurn)
    }
    return now - this.turnBeganAt > this.options.maxDelayMs
  }

  /** Whether no other request may wait. */
  get isFull(): boolean {
    return this.inFlight >= this.options.maxInFlight
  }

  enter(): void {
    this.inFlight += 1
  }

  leave(): void {
    this.inFlight -= 1
  }
}
