import { addCount, type Counts, countsSince, maximumPrefix } from './counts.js'
import type { Sample } from './history.js'
import { type OperationMetrics, type RequestMetrics, reservedNames } from './request-metrics.js'

/**
 * Takes the counts by operation since the previous sample, by `<counter>/<operation>`. Clients choose the names of operations, so at
 * most `maxNames` names are counted separately in a slot of the history, and all others as "other".
 */
export class OperationSampler {
  private last = new Map<OperationMetrics, Counts>()
  private slot = Number.NaN
  private readonly namesOfSlot = new Set<string>()

  constructor(
    private readonly requests: Pick<RequestMetrics, 'byOperation'>,
    private readonly token: string,
    private readonly maxNames: number,
  ) {}

  take(slot: number): Sample {
    if (slot !== this.slot) this.namesOfSlot.clear()
    this.slot = slot
    const counts = new Map<string, number>()
    const maxima = new Map<string, number>()
    const current = new Map<OperationMetrics, Counts>()
    for (const [operation, metrics] of this.requests.byOperation()) {
      const totals = totalsOf(metrics)
      current.set(metrics, totals)
      const added = countsSince(this.last.get(metrics), totals)
      if (added.size === 0) continue
      const name = this.nameInSlot(operation)
      for (const [counter, count] of added) addCount(counts, `${counter}/${name}`, count)
      const maximum = `${maximumPrefix}${this.token}/${name}`
      maxima.set(maximum, Math.max(maxima.get(maximum) ?? 0, metrics.durations.takeMaxMicroseconds()))
    }
    // The counts of a replaced name were added to "other". The part that earlier samples contain is subtracted.
    for (const [metrics, totals] of this.last)
      if (!current.has(metrics)) for (const [counter, count] of totals) addCount(counts, `${counter}/other`, -count)
    this.last = current
    return { counts: countsSince(undefined, counts), maxima }
  }

  private nameInSlot(operation: string): string {
    if (reservedNames.has(operation) || this.namesOfSlot.has(operation)) return operation
    if (this.namesOfSlot.size >= this.maxNames) return 'other'
    this.namesOfSlot.add(operation)
    return operation
  }
}

function totalsOf({ outcomes, points, durations }: OperationMetrics): Counts {
  return new Map([
    ...Object.entries(outcomes),
    ['points', Math.round(points)],
    ...durations.counts.map((count, bucket) => [`latency.${bucket}`, count] as const),
  ])
}
