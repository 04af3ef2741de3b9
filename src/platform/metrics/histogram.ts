/** Durations counted by bucket. An observation takes a few comparisons and allocates nothing. */
export class Histogram {
  /** One count for each bound, and one for durations above the last bound */
  readonly counts: number[]
  sumSeconds = 0
  /** The longest duration since the last call of takeMaxMicroseconds */
  maxSeconds = 0

  constructor(readonly boundsSeconds: readonly number[]) {
    this.counts = Array.from({ length: boundsSeconds.length + 1 }, () => 0)
  }

  observe(seconds: number): void {
    let bucket = 0
    while (seconds > (this.boundsSeconds[bucket] as number)) bucket += 1
    this.counts[bucket] = (this.counts[bucket] as number) + 1
    this.sumSeconds += seconds
    if (seconds > this.maxSeconds) this.maxSeconds = seconds
  }

  /** Returns the longest duration since the previous call, in microseconds; 0 if there was none. */
  takeMaxMicroseconds(): number {
    const microseconds = Math.ceil(this.maxSeconds * 1e6)
    this.maxSeconds = 0
    return microseconds
  }
}

/** Returns the quantile in seconds, interpolated within its bucket as Prometheus does; null if nothing was counted. */
export function quantile(boundsSeconds: readonly number[], counts: readonly number[], share: number): number | null {
  let remaining = share * counts.reduce((sum, count) => sum + count, 0)
  if (remaining === 0) return null
  for (const [bucket, bound] of boundsSeconds.entries()) {
    const count = counts[bucket] ?? 0
    const below = boundsSeconds[bucket - 1] ?? 0
    if (count >= remaining) return below + ((bound - below) * remaining) / count
    remaining -= count
  }
  return boundsSeconds.at(-1) as number
}

/**
 * Bounds of buckets for latencies, in seconds. A query answered from memory takes less than 0.1 ms; an SQL statement may take
 * seconds.
 */
export const latencyBounds = [
  ...[0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05],
  ...[0.1, 0.25, 0.5, 1, 2.5, 5, 10],
]
/** Bounds of buckets for the lag of invalidations, in seconds */
export const lagBounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
