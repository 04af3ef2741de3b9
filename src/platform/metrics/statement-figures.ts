import { Distribution, latencyBounds } from './distribution.js'

/** SQL statements of this process: those under way, and how long the others took, waiting included. */
export class StatementFigures {
  readonly durations = new Distribution(latencyBounds)
  private underWay = 0

  constructor(readonly maxConnections: number) {}

  get running(): number {
    return Math.min(this.underWay, this.maxConnections)
  }

  /** Behind others, for a connection or on one */
  get waiting(): number {
    return Math.max(0, this.underWay - this.maxConnections)
  }

  began(): void {
    this.underWay += 1
  }

  ended(seconds: number): void {
    this.underWay -= 1
    this.durations.observe(seconds)
  }
}
