import type { CacheStore } from 'cached-resolvers'
import type { Siblings } from '../platform/metrics/exposition.js'

export interface AppObservers {
  /** Sees the text of every SQL statement. */
  onStatement?: (text: string) => void
  /** Puts something between the cache and its store, which takes away what the store promises. */
  wrapStore?: (store: CacheStore) => CacheStore
  /** Without one, nothing but the mutation itself carries a change to the cache. */
  withoutRelay?: boolean
  /** The other processes behind the same port; null, as when left out, for none */
  siblings?: Siblings | null
}
