import type { CacheStore } from 'cached-resolvers'
import type { SiblingMetrics } from '../platform/metrics/exposition.js'

export interface AppObservers {
  /** Called with the text of every SQL statement */
  onStatement?: (text: string) => void
  /** Wraps the store of the cache, to break its guarantees in a test */
  wrapStore?: (store: CacheStore) => CacheStore
  /** Starts no relay: only the mutation itself invalidates the cache. */
  withoutRelay?: boolean
  /** The metrics of the other processes on the same port; null or undefined if there are none */
  siblings?: SiblingMetrics | null
}
