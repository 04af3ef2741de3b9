import { type Counts, countsSince, maximumPrefix } from './counts.js'
import type { Sample } from './history.js'
import { countsOfReads } from './hot-keys.js'
import { OperationSampler } from './operation-sampler.js'
import type { ProcessMetrics } from './process-metrics.js'
import { readTotals } from './totals.js'

export interface Samples {
  /** Of all requests, lookups and statements of this process */
  process: Sample
  /** Of the requests by operation */
  operations: Sample
  /** Of the lookups in the cache by key */
  hotKeys: Sample
}

/** Takes what this process counted since the previous sample. */
export class Sampler {
  private readonly operations: OperationSampler
  private lastTotals: Counts = new Map()

  /** `token` identifies this process. It is part of the names of maxima, because a maximum must not be summed with others. */
  constructor(
    private readonly metrics: ProcessMetrics,
    private readonly token: string,
    maxOperations: number,
  ) {
    this.operations = new OperationSampler(metrics.requests, token, maxOperations)
  }

  /** `slot`: the current slot of the history of operations */
  take(slot: number): Samples {
    const operations = this.operations.take(slot)
    const maxima = new Map([
      [`${maximumPrefix}latency.${this.token}`, Math.max(0, ...operations.maxima.values())],
      [`${maximumPrefix}lag.${this.token}`, this.metrics.invalidationLag.takeMaxMicroseconds()],
    ])
    const hotKeys = { counts: countsOfReads(this.metrics.cache.takeHotKeys(maxHotKeys)), maxima: new Map() }
    return { process: { counts: this.takeCounts(), maxima }, operations, hotKeys }
  }

  private takeCounts(): Counts {
    const totals = readTotals(this.metrics)
    const counts = countsSince(this.lastTotals, totals)
    this.lastTotals = totals
    return counts
  }
}

/** More than the dashboard shows, because a key may be read less often in this sample than in others */
const maxHotKeys = 20
