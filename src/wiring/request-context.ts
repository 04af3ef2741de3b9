import { CacheReport, type Loaders } from 'cached-resolvers'
import type { OutboxRow } from 'cached-resolvers/postgres'
import type { Context } from '../graphql/context.js'
import { noFlags, type RequestFlags } from '../http/headers/request-flags.js'
import { type Connection, type Deadlines, RequestCancellation } from '../http/overload/deadlines.js'
import type { RequestInfo } from '../http/request-info.js'
import type { Viewer } from '../platform/auth/viewer.js'
import type { Database } from '../platform/database/connection.js'
import { createCommands } from '../shop/commands.js'
import type { entities } from '../shop/entities.js'

type ShopLoaders = Loaders<typeof entities>

/** Dependencies shared by the contexts of all requests */
export interface SharedDependencies extends Pick<Context, 'cacheAdmin' | 'live'> {
  database: Database
  deadlines: Deadlines
  createLoaders: (cancellation: () => RequestCancellation) => ShopLoaders
  /** Creates the loaders for a request that asks for a cache report or bypasses the cache. */
  createLoadersFor: (flags: RequestFlags, cacheReport: CacheReport | null, cancellation: () => RequestCancellation) => ShopLoaders
  /** Invalidates the cache entries affected by a mutation, before its response is sent. */
  deliver: (changes: readonly OutboxRow[]) => Promise<void>
}

/**
 * The context of one request. A context is created for every request, so its more expensive parts are created when they are first
 * used. The context is a class, because creating an object literal with a getter is more expensive.
 */
export class RequestContext implements Context<typeof entities> {
  readonly requestId: string
  readonly viewer: Viewer
  readonly client: string
  readonly loaders: ShopLoaders
  readonly cacheReport: CacheReport | null
  readonly cacheAdmin: Context['cacheAdmin']
  readonly live: Context['live']
  private readonly connection: Connection
  private readonly arrivedAt: number
  private ownCancellation: RequestCancellation | undefined

  constructor(
    private readonly shared: SharedDependencies,
    { id, viewer, client, flags, connection }: RequestInfo,
  ) {
    this.requestId = id
    this.viewer = viewer
    this.client = client
    this.connection = connection
    this.arrivedAt = shared.deadlines.coarseNow
    this.cacheAdmin = shared.cacheAdmin
    this.live = shared.live
    const cancellation = () => this.cancellation
    this.cacheReport = flags.cacheReport ? new CacheReport(() => performance.now()) : null
    this.loaders =
      flags === noFlags ? shared.createLoaders(cancellation) : shared.createLoadersFor(flags, this.cacheReport, cancellation)
  }

  /** The commands are created on access, because most requests write nothing. */
  get commands(): Context['commands'] {
    const { database, deliver } = this.shared
    const onCommitted = async (changes: readonly OutboxRow[]) => {
      await deliver(changes)
      this.loaders.clearAll()
    }
    return createCommands({ database, cancellation: this.cancellation, onCommitted })
  }

  /** The cancellation is created on first access, because most requests never wait. */
  private get cancellation(): RequestCancellation {
    this.ownCancellation ??= new RequestCancellation(this.shared.deadlines, this.connection, this.arrivedAt)
    return this.ownCancellation
  }
}
