import type { Counts as CacheCounts, SampledReads } from 'cached-resolvers'
import type { ErrorMetrics } from './error-metrics.js'
import type { Histogram } from './histogram.js'
import type { RequestMetrics } from './request-metrics.js'
import type { StatementMetrics } from './statement-metrics.js'
import type { SubscriptionMetrics } from './subscription-metrics.js'

/** All metrics of this process. Functions and objects are read whenever the metrics are exposed. */
export interface ProcessMetrics {
  requests: RequestMetrics
  errors: ErrorMetrics
  /** Points charged to client budgets; 0 if budgets are disabled */
  points: () => number
  subscriptions: SubscriptionMetrics
  statements: StatementMetrics
  invalidationLag: Histogram
  backlogSeconds: () => number
  namespaces: readonly string[]
  cache: CacheMetrics
  maxFetches: number
  /** Milliseconds for which the event loop has been busy since the process started */
  busyMs: () => number
}

/** The part of the cache that the metrics read */
interface CacheMetrics {
  readonly trusted: boolean
  readonly answering: boolean
  readonly fetchLoad: { running: number; waiting: number }
  readonly nearBytes: number
  ownCounts(namespace: { name: string }): CacheCounts
  takeHotKeys(maxKeys: number): SampledReads
}
