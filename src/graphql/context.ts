import type { Loaders, Origins } from 'cached-resolvers'
import type { Viewer } from '../platform/auth/viewer.js'
import type { Commands } from '../shop/commands.js'

/** What a request has at hand. A resolver names the entities whose loaders it uses: `Context<{ users: typeof users }>`. */
export interface Context<Entities = object> {
  requestId: string
  /** Who asks */
  viewer: Viewer
  /** Whom it is charged to */
  client: string
  /** Fresh for this request */
  loaders: Loaders<Entities>
  /** Where what was loaded came from, where the request asks to be told */
  origins: Origins | null
  commands: Commands
  cacheAdmin: CacheAdmin
  live: Live
}

/** Tells ids of what was committed since: of products that changed, where their ids are topics; of new orders, where ids of users are. */
interface Live {
  subscribe(topics: readonly string[]): Promise<AsyncIterable<string>>
}

/** What resolvers may know and do of the cache as a whole. */
interface CacheAdmin {
  /** By name of namespace, since they were last reset, over all processes */
  counts(): Promise<ReadonlyMap<string, CacheCounts>>
  info(): Promise<CacheInfo>
  /** Answers false where the cache could not be told. */
  flush(namespace: string): Promise<boolean>
  /** Gives the number of entries that are there then. */
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
  /** By kind; their sum is `errors` */
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
