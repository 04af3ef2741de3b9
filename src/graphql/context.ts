import type { CacheReport, Loaders } from 'cached-resolvers'
import type { Viewer } from '../platform/auth/viewer.js'
import type { Commands } from '../shop/commands.js'

/** The GraphQL context of a request. A resolver names the entities whose loaders it uses: `Context<{ users: typeof users }>`. */
export interface Context<Entities = object> {
  requestId: string
  viewer: Viewer
  /** Key of the budget that is charged for the request */
  client: string
  /** Created for this request */
  loaders: Loaders<Entities>
  /** Counts where loaded values came from; null unless the request asks for the report */
  cacheReport: CacheReport | null
  commands: Commands
  cacheAdmin: CacheAdmin
  live: LiveChanges
}

/**
 * Yields ids of committed changes: for topics that are product ids, the products that changed; for user ids, the users' new
 * orders.
 */
interface LiveChanges {
  subscribe(topics: readonly string[]): Promise<AsyncIterable<string>>
}

/** Administration of the whole cache */
interface CacheAdmin {
  /** By namespace name, summed over all processes since the last reset */
  counts(): Promise<ReadonlyMap<string, CacheCounts>>
  info(): Promise<CacheInfo>
  /** Returns false if the cache could not be reached. */
  flush(namespace: string): Promise<boolean>
  /** Returns the number of entries in the cache afterwards. */
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
  /** Errors by kind; their sum is `errors` */
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
