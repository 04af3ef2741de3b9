import type { Counts } from './counts.js'
import { quantile } from './histogram.js'

/** Durations in milliseconds. A quantile is null if there are too few durations for it; then the maximum says more. */
export interface Durations {
  count: number
  p50: number | null
  p95: number | null
  p99: number | null
  /** null if nothing was timed */
  max: number | null
}

/** Summarizes the buckets `<name>.<bucket>` of `counts`. `maxMicroseconds`: the longest of the durations */
export function summarizeDurations(
  boundsSeconds: readonly number[],
  counts: Counts,
  name: string,
  maxMicroseconds: number,
): Durations {
  const buckets = [...boundsSeconds, Number.POSITIVE_INFINITY].map((_, bucket) => counts.get(`${name}.${bucket}`) ?? 0)
  const count = buckets.reduce((sum, inBucket) => sum + inBucket, 0)
  const max = maxMicroseconds / 1000
  const quantileMs = (share: number, fewest: number) => {
    const seconds = count < fewest ? null : quantile(boundsSeconds, buckets, share)
    // The interpolation within a bucket may exceed the longest duration.
    return seconds === null ? null : round(Math.min(seconds * 1000, max))
  }
  return {
    count,
    p50: quantileMs(0.5, fewestForP95),
    p95: quantileMs(0.95, fewestForP95),
    p99: quantileMs(0.99, fewestForP99),
    max: count === 0 ? null : round(max),
  }
}

function round(ms: number): number {
  return Math.round(ms * 100) / 100
}

/** 1 of 20 durations is above the 95th percentile, 1 of 100 above the 99th. Of fewer, the maximum would pass for a percentile. */
const fewestForP95 = 20
const fewestForP99 = 100
