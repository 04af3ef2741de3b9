import type { CacheReport, Loaders } from 'cached-resolvers'
import type { Viewer } from '../platform/auth/viewer.js'
import type { Commands } from '../shop/commands.js'

/** The GraphQL context of a request. A resolver names the entities whose loaders it uses: `Context<{ users: typeof users }>`. */
export interface Context<Entities = object> {
  requestId: string
  viewer: Viewer
  /** Key of the budget that is charged for the request */
  client: string
  /** The loaders of this request. Requests do not share loaders. */
  loaders: Loaders<Entities>
  /** Counts where loaded values came from; null unless the request asks for the report */
  cacheReport: CacheReport | null
  commands: Commands
  cacheAdmin: CacheAdmin
  live: LiveChanges
}

interface LiveChanges {
  /** Yields the id of each subscribed product that changed, and of each new order of a subscribed user. Topics are their ids. */
  subscribe(topics: readonly string[]): Promise<AsyncIterable<string>>
}

/** Administration of the whole cache */
interface CacheAdmin {
  /** Returns the counts by namespace name, summed across all processes since the last reset. */
  counts(): Promise<ReadonlyMap<string, CacheCounts>>
  info(): Promise<CacheInfo>
  /** Returns false if the cache could not be reached. */
  flush(namespace: string): Promise<boolean>
  /** Returns how many of the requested entries are in the cache afterwards. */
  warmUp(namespace: string, limit: number): Promise<number>
}

export interface CacheCounts {
  hits: number
  negativeHits: number
  staleHits: number
  misses: number
  nearHits: number
  coalesced: number
  leaseWaits: number
  shed: number
  fills: number
  invalidations: number
  errors: number
  ttlSeconds: number
  /** This and the next three fields count the errors of each kind. Their sum is `errors`. */
  unavailable: number
  refused: number
  corrupt: number
  failedRefills: number
  audited: number
  wrong: number
}

export interface CacheInfo {
  backend: string
  available: boolean
  version: string | null
  usedMemoryBytes: number | null
  uptimeSeconds: number | null
  connectedClients: number | null
  keys: number | null
}
