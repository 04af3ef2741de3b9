import type { CacheStore } from 'cached-resolvers'
import type { SiblingMetrics } from '../platform/metrics/exposition.js'

export interface AppObservers {
  /** Called with the text of every SQL statement */
  onStatement?: (text: string) => void
  /** Wraps the store of the cache, to break its guarantees in a test */
  wrapStore?: (store: CacheStore) => CacheStore
  /** Does not start the relay, so that only the mutations of this process invalidate the cache. */
  withoutRelay?: boolean
  /** The metrics of the other processes on the same port; null or undefined if no other process uses the port */
  siblings?: SiblingMetrics | null
}
