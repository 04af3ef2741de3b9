import type { StatementObserver } from '../database/instrument-queries.js'
import { Histogram, latencyBounds } from './histogram.js'

/**
 * SQL statements of this process: how many are in flight, and how long completed statements took, including the wait for a
 * connection.
 */
export class StatementMetrics implements StatementObserver {
  readonly durations = new Histogram(latencyBounds)
  /** Completed statements of requests; the others are the server's own: those of audits and of health checks. */
  requestStatements = 0
  /** To be notified instead of this object about the statements of requests */
  readonly ofRequests: StatementObserver = {
    onStart: () => this.onStart(),
    onEnd: (seconds) => {
      this.requestStatements += 1
      this.onEnd(seconds)
    },
  }
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
