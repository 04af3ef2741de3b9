import { Histogram, latencyBounds } from './histogram.js'

/**
 * SQL statements of this process: how many are in flight, and how long completed statements took, including the wait for a
 * connection.
 */
export class StatementMetrics {
  readonly durations = new Histogram(latencyBounds)
  private inFlight = 0

  constructor(readonly maxConnections: number) {}

  get running(): number {
    return Math.min(this.inFlight, this.maxConnections)
  }

  /** Statements queued behind other statements, for a connection or on a connection */
  get waiting(): number {
    return Math.max(0, this.inFlight - this.maxConnections)
  }

  onStart(): void {
    this.inFlight += 1
  }

  onEnd(seconds: number): void {
    this.inFlight -= 1
    this.durations.observe(seconds)
  }
}
