/** Measures how long this process is stalled: stopped, without a CPU, or occupied by one long task. Call stop() at the end. */
export class StallMeter {
  private readonly startedAt = performance.now()
  private lastTickAt = this.startedAt
  private stalledMs = 0
  private readonly timer = setInterval(() => this.tick(), tickMs).unref()

  /** Whether the process was stalled for most of the time since this meter was created */
  wasMostlyStalled(): boolean {
    // The sockets may be read before the timer that a stall delayed.
    this.tick()
    return this.stalledMs > (this.lastTickAt - this.startedAt) / 2
  }

  stop(): void {
    clearInterval(this.timer)
  }

  private tick(): void {
    const now = performance.now()
    this.stalledMs += Math.max(now - this.lastTickAt - tickMs, 0)
    this.lastTickAt = now
  }
}

const tickMs = 100
