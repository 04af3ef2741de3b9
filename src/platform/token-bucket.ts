export interface TokenBucketLimits {
  /** Maximum number of tokens */
  burst: number
  /** Tokens added per second */
  perSecond: number
}

export class TokenBucket {
  private tokens: number
  private refilledAt: number

  constructor(
    private readonly limits: TokenBucketLimits,
    /** Monotonic, in milliseconds */
    private readonly now: () => number,
  ) {
    this.tokens = limits.burst
    this.refilledAt = now()
  }

  get isEmpty(): boolean {
    this.refill()
    return this.tokens < 1
  }

  /** Takes a token. To be called only if the bucket is not empty. */
  take(): void {
    this.tokens -= 1
  }

  private refill(): void {
    const { burst, perSecond } = this.limits
    const now = this.now()
    this.tokens = Math.min(burst, this.tokens + (Math.max(0, now - this.refilledAt) / 1_000) * perSecond)
    this.refilledAt = now
  }
}
