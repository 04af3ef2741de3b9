import type { CacheStore } from 'cached-resolvers'
import type { SiblingMetrics } from '../platform/metrics/exposition.js'

export interface AppObservers {
  /** Called with the text of every SQL statement */
  onStatement?: (text: string) => void
  /** Wraps the store of the cache, to break its guarantees in a test */
  wrapStore?: (store: CacheStore) => CacheStore
  /** Whether to start the relay. If not, only the mutations of this process invalidate the cache. Default: true */
  runsRelay?: boolean
  /** Aborts the start: what was already started is stopped, and startApp rejects. */
  stopping?: AbortSignal
  /** The metrics of the other processes on the same port; null or undefined if no other process uses the port */
  siblings?: SiblingMetrics | null
}
