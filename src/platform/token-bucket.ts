export interface TokenBucketLimits {
  /** At once */
  burst: number
  /** And so many more each second */
  perSecond: number
}

/** So many at once, and so many more each second. */
export class TokenBucket {
  private left: number
  private at: number

  constructor(
    private readonly limits: TokenBucketLimits,
    /** Monotonic, in milliseconds */
    private readonly now: () => number,
  ) {
    this.left = limits.burst
    this.at = now()
  }

  get isEmpty(): boolean {
    this.refill()
    return this.left < 1
  }

  take(): void {
    this.left -= 1
  }

  private refill(): void {
    const { burst, perSecond } = this.limits
    const at = this.now()
    this.left = Math.min(burst, this.left + (Math.max(0, at - this.at) / 1_000) * perSecond)
    this.at = at
  }
}
