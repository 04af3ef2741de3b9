export interface TokenBucketLimits {
  /** Maximum number of tokens */
  burst: number
  /** Tokens added per second */
  perSecond: number
}

export class TokenBucket {
  /** The number of tokens at `takenAt` */
  private tokens: number
  private takenAt: number

  constructor(
    private readonly limits: TokenBucketLimits,
    /** Monotonic, in milliseconds */
    private readonly now: () => number,
  ) {
    this.tokens = limits.burst
    this.takenAt = now()
  }

  get isEmpty(): boolean {
    return this.tokensAt(this.now()) < 1
  }

  /** Takes a token. To be called only if the bucket is not empty. */
  take(): void {
    const now = this.now()
    this.tokens = this.tokensAt(now) - 1
    this.takenAt = now
  }

  private tokensAt(now: number): number {
    const { burst, perSecond } = this.limits
    return Math.min(burst, this.tokens + (Math.max(0, now - this.takenAt) / 1_000) * perSecond)
  }
}
