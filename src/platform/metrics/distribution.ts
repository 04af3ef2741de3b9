/** Durations counted by bucket: observing one is a few comparisons, and allocates nothing. */
export class Distribution {
  /** One for each bound, and one for what is above them all */
  readonly counts: number[]
  sumSeconds = 0

  constructor(readonly boundsSeconds: readonly number[]) {
    this.counts = Array.from({ length: boundsSeconds.length + 1 }, () => 0)
  }

  observe(seconds: number): void {
    let bucket = 0
    while (seconds > (this.boundsSeconds[bucket] as number)) bucket += 1
    this.counts[bucket] = (this.counts[bucket] as number) + 1
    this.sumSeconds += seconds
  }
}

/** In seconds, interpolated within its bucket as Prometheus does; null where nothing was counted. */
export function quantile(boundsSeconds: readonly number[], counts: readonly number[], share: number): number | null {
  let left = share * counts.reduce((sum, count) => sum + count, 0)
  if (left === 0) return null
  for (const [bucket, bound] of boundsSeconds.entries()) {
    const count = counts[bucket] ?? 0
    const below = boundsSeconds[bucket - 1] ?? 0
    if (count >= left) return below + ((bound - below) * left) / count
    left -= count
  }
  return boundsSeconds.at(-1) as number
}

/** A hot query is answered in less than a tenth of a millisecond; a statement may take seconds. */
export const latencyBounds = [
  ...[0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05],
  ...[0.1, 0.25, 0.5, 1, 2.5, 5, 10],
]
export const lagBounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
