import {
  type CacheReader,
  type Caller,
  CountedEntries,
  cachedBatch,
  cachedListBatch,
  type EntryId,
  type Fetcher,
  type ListKey,
  ListLoader,
  Loader,
  listFetcher,
  type Namespace,
  type Page,
  uncachedBatch,
} from 'cached-resolvers'
import { productListEntry, userOrderListEntry } from './entry-ids.js'
import type { Fetchers } from './fetchers.js'
import { ORDERS, PRODUCT_LISTS, PRODUCTS, STATS, USER_ORDERS, USERS } from './namespaces.js'

export type Loaders = ReturnType<ReturnType<typeof createLoaderFactory>>

/** Gives the loaders of a request: fresh ones, since they remember what they loaded. `caller` is asked for where there is something to wait for. */
export function createLoaderFactory(cache: CacheReader, fetchers: Fetchers) {
  return lazily({
    users: byId(cache, USERS, fetchers.users),
    products: byId(cache, PRODUCTS, fetchers.products),
    orders: byId(cache, ORDERS, fetchers.orders),
    totals: byId(cache, STATS, fetchers.totals),
    productLists: ofLists(cache, PRODUCT_LISTS, productListEntry, listFetcher(fetchers.productPages, fetchers.productCounts)),
    userOrderLists: ofLists(
      cache,
      USER_ORDERS,
      userOrderListEntry,
      listFetcher(fetchers.userOrderPages, fetchers.userOrderCounts),
    ),
    // Read by administrators only, and stale with every new user: not worth an entry.
    userLists: uncachedLists(listFetcher(fetchers.userPages, fetchers.userCounts)),
  })
}

function byId<V>(cache: CacheReader, namespace: Namespace<V>, fetch: Fetcher<string, V>) {
  const batch = cachedBatch(cache, namespace, fetch)
  return ({ caller, counted }: Request) => {
    const near = (id: string) => cache.readNear(namespace, id, counted)
    return new Loader<string, V | null>({ near, batch, caller })
  }
}

function ofLists(
  cache: CacheReader,
  namespace: Namespace<Page | number>,
  toEntryId: (key: ListKey) => EntryId,
  fetch: Fetcher<ListKey, Page | number>,
) {
  const batch = cachedListBatch(cache, namespace, toEntryId, fetch)
  return ({ caller, counted }: Request) => {
    const near = (key: ListKey) => cache.readNear(namespace, toEntryId(key), counted) ?? undefined
    return new ListLoader({ near, batch, caller })
  }
}

function uncachedLists(fetch: Fetcher<ListKey, Page | number>) {
  const batch = uncachedBatch(fetch)
  return ({ caller }: Request) => new ListLoader({ near: () => undefined, batch, caller })
}

interface Request {
  caller: () => Caller
  /** A key counts once for a request, however many of its fields ask for it. */
  counted: CountedEntries
}

type Maker = (request: Request) => { clearAll: () => void }
type Makers = Record<string, Maker>
type Made<M extends Makers> = { readonly [Name in keyof M]: ReturnType<M[Name]> }

/** Every loader is made when it is first asked for: most requests need one or two. */
function lazily<M extends Makers>(makers: M) {
  class Lazy {
    private readonly made: Record<string, { clearAll: () => void }> = {}
    readonly counted = new CountedEntries()

    constructor(readonly caller: () => Caller) {}

    /** After a write, so that the same request reads it. */
    forget(): void {
      this.counted.clear()
      for (const loader of Object.values(this.made)) loader.clearAll()
    }

    find(name: string, make: Maker) {
      this.made[name] ??= make(this)
      return this.made[name]
    }
  }
  for (const [name, make] of Object.entries(makers)) {
    Object.defineProperty(Lazy.prototype, name, {
      get(this: Lazy) {
        return this.find(name, make)
      },
    })
  }
  return (caller: () => Caller) => new Lazy(caller) as Lazy & Made<M>
}
