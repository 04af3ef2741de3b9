import type { Counts as CacheCounts } from 'cached-resolvers'
import type { Distribution } from './distribution.js'
import type { ErrorFigures } from './error-figures.js'
import type { RequestFigures } from './request-figures.js'
import type { StatementFigures } from './statement-figures.js'
import type { SubscriptionFigures } from './subscription-figures.js'

/** All that this process knows of itself. What is not a number stays where it is counted, and is read when somebody asks. */
export interface Figures {
  requests: RequestFigures
  errors: ErrorFigures
  /** Points that clients were charged; 0 where they have no budgets */
  points: () => number
  subscriptions: SubscriptionFigures
  statements: StatementFigures
  invalidationLag: Distribution
  backlogSeconds: () => number
  namespaces: readonly string[]
  cache: CacheFigures
  maxFetches: number
  /** Milliseconds that the event loop has been busy since the process began */
  busyMs: () => number
}

/** What is asked of the cache. */
interface CacheFigures {
  readonly trusted: boolean
  readonly answering: boolean
  readonly fetches: { running: number; waiting: number }
  readonly nearBytes: number
  ownCounts(namespace: { name: string }): CacheCounts
}
