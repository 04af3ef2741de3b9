import type { CacheReader, Fetcher, Origin } from 'cached-resolvers'
import type { Fetchers } from './fetchers.js'
import { ORDERS, PRODUCT_LISTS, PRODUCTS, STATS, USER_ORDERS, USERS } from './namespaces.js'

/** Lookups by where their answer came from, each counted once, and the statements that were run for what came from nowhere */
export type OriginCounts = Record<Origin, number> & { statements: number; statementMs: number }

/** Tells where what one request loads comes from, by name of namespace. */
export class Origins {
  readonly counts = new Map<string, OriginCounts>()

  constructor(private readonly now: () => number) {}

  ofReads(cache: CacheReader): CacheReader {
    return {
      readNear: (namespace, id, counted) => {
        const countedBefore = counted.size
        const value = cache.readNear(namespace, id, counted)
        if (counted.size > countedBefore) this.of(namespace.name)[value === null ? 'negative' : 'near'] += 1
        return value
      },
      getOrFetchMany: (namespace, ids, fetch, options) => {
        const observe = (origin: Origin) => {
          this.of(namespace.name)[origin] += 1
        }
        return cache.getOrFetchMany(namespace, ids, fetch, { ...options, observe })
      },
    }
  }

  /** Pages of users are not cached, and count as users. */
  ofStatements(fetchers: Fetchers): Fetchers {
    const timed = <Key, V>({ name }: { name: string }, fetch: Fetcher<Key, V>): Fetcher<Key, V> => {
      return (keys, signal) => this.time(name, fetch(keys, signal))
    }
    return {
      ...fetchers,
      users: timed(USERS, fetchers.users),
      userPages: timed(USERS, fetchers.userPages),
      userCounts: timed(USERS, fetchers.userCounts),
      products: timed(PRODUCTS, fetchers.products),
      productPages: timed(PRODUCT_LISTS, fetchers.productPages),
      productCounts: timed(PRODUCT_LISTS, fetchers.productCounts),
      orders: timed(ORDERS, fetchers.orders),
      userOrderPages: timed(USER_ORDERS, fetchers.userOrderPages),
      userOrderCounts: timed(USER_ORDERS, fetchers.userOrderCounts),
      totals: timed(STATS, fetchers.totals),
    }
  }

  private async time<T>(namespace: string, statement: Promise<T>): Promise<T> {
    const startedAt = this.now()
    try {
      return await statement
    } finally {
      const counts = this.of(namespace)
      counts.statements += 1
      counts.statementMs += this.now() - startedAt
    }
  }

  private of(namespace: string): OriginCounts {
    const counts = this.counts.get(namespace) ?? {
      near: 0,
      far: 0,
      stale: 0,
      negative: 0,
      miss: 0,
      statements: 0,
      statementMs: 0,
    }
    this.counts.set(namespace, counts)
    return counts
  }
}
