import { type Loaders, Origins } from 'cached-resolvers'
import type { OutboxRow } from 'cached-resolvers/postgres'
import type { Context } from '../graphql/context.js'
import type { Asking } from '../http/asking.js'
import { noWishes, type Wishes } from '../http/headers/wishes.js'
import { type Connection, type Deadlines, RequestCaller } from '../http/overload/deadlines.js'
import type { Viewer } from '../platform/auth/viewer.js'
import type { Database } from '../platform/database/connection.js'
import { createCommands } from '../shop/commands.js'
import type { entities } from '../shop/entities.js'

type ShopLoaders = Loaders<typeof entities>

/** What the contexts of all requests are made with */
export interface Shared extends Pick<Context, 'cacheAdmin' | 'live'> {
  database: Database
  deadlines: Deadlines
  createLoaders: (caller: () => RequestCaller) => ShopLoaders
  /** For a request that wants to be told where its data comes from, or to have it from elsewhere */
  createLoadersFor: (wishes: Wishes, origins: Origins | null, caller: () => RequestCaller) => ShopLoaders
  /** Before a mutation answers, what it changed is made unreadable. */
  deliver: (changes: readonly OutboxRow[]) => Promise<void>
}

/** Made for every request, so it makes only what that needs: a class, because an object with a getter of its own is dear. */
export class RequestContext implements Context<typeof entities> {
  readonly requestId: string
  readonly viewer: Viewer
  readonly client: string
  readonly loaders: ShopLoaders
  readonly origins: Origins | null
  readonly cacheAdmin: Context['cacheAdmin']
  readonly live: Context['live']
  private readonly connection: Connection
  private readonly arrivedAt: number
  private itself: RequestCaller | undefined

  constructor(
    private readonly shared: Shared,
    { id, viewer, client, wishes, connection }: Asking,
  ) {
    this.requestId = id
    this.viewer = viewer
    this.client = client
    this.connection = connection
    this.arrivedAt = shared.deadlines.now
    this.cacheAdmin = shared.cacheAdmin
    this.live = shared.live
    const caller = () => this.caller
    this.origins = wishes.origins ? new Origins(() => performance.now()) : null
    this.loaders = wishes === noWishes ? shared.createLoaders(caller) : shared.createLoadersFor(wishes, this.origins, caller)
  }

  /** Most requests write nothing. */
  get commands(): Context['commands'] {
    const { database, deliver } = this.shared
    const committed = async (changes: readonly OutboxRow[]) => {
      await deliver(changes)
      this.loaders.forget()
    }
    return createCommands({ database, caller: this.caller, committed })
  }

  /** Most requests wait for nothing. */
  private get caller(): RequestCaller {
    this.itself ??= new RequestCaller(this.shared.deadlines, this.connection, this.arrivedAt)
    return this.itself
  }
}
